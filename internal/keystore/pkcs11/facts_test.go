//go:build cgo

package pkcs11

import (
	"testing"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// No combination of answers says "cannot leave, tested" but the one in which everything agrees, and none says "can never leave" of a key that can.
func TestAKeyIsCalledNonExtractableOnlyIfNothingSpeaksAgainstIt(t *testing.T) {
	answers := []tristate{untold, no, yes}
	for _, sensitive := range answers {
		for _, extractable := range answers {
			for _, refused := range answers {
				a := attributes{sensitive: sensitive, extractable: extractable, refused: refused, alwaysSensitive: yes, neverExtractable: yes}
				now, evidence := a.nonExtractable()
				ever, _ := a.neverWas()
				kept := sensitive == yes && extractable == no && refused != no
				if (now == yes) != kept {
					t.Errorf("sensitive %d, extractable %d, refused %d: non-extractable is %d; want it yes only where all agree", sensitive, extractable, refused, now)
				}
				if tested := evidence == v1alpha1.EvidenceTested; now == yes && tested != (refused == yes) {
					t.Errorf("sensitive %d, extractable %d, refused %d: %s", sensitive, extractable, refused, evidence)
				}
				if now == no && ever != no {
					t.Errorf("sensitive %d, extractable %d, refused %d: it can leave now, and yet never could", sensitive, extractable, refused)
				}
			}
		}
	}
}

func TestDaysAreReadOrRefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "00000000": "", "        ": "", "\x00\x00\x00\x00\x00\x00\x00\x00": "",
		"20240229": "2024-02-29", "20230229": "refused", "2024022": "refused", "20240229\x00": "refused", "never   ": "refused",
	} {
		got := ""
		switch d, err := day([]byte(text)); {
		case err != nil:
			got = "refused"
		case !d.IsZero():
			got = d.Format(time.DateOnly)
		}
		if got != want {
			t.Errorf("%q is read as %q; want %q", text, got, want)
		}
	}
}

// Whatever a library tells, it is read or refused, and a date that is none is never taken for no date.
func FuzzWhatTokensTell(f *testing.F) {
	f.Add([]byte("20240229"), []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, []byte{4, 65}, uint(32))
	f.Fuzz(func(t *testing.T, date, params, point []byte, length uint) {
		a := attributes{end: date, curve: params, point: point, valueLength: length, typed: true}
		facts, err := a.facts()
		if err != nil && len(facts) != 0 {
			t.Errorf("%d facts beside the error %v", len(facts), err)
		}
		if _, ok := publicOf(a); ok && len(point) < 57 {
			t.Errorf("%d bytes were taken for a point", len(point))
		}
	})
}
