package kmip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

// good is an answer as servers give it.
func good() []byte {
	return ttlv.MarshalTTLV(&kmip.ResponseMessage{
		Header: kmip.ResponseHeader{ProtocolVersion: kmip.V1_4, TimeStamp: time.Unix(1_700_000_000, 0), BatchCount: 1},
		BatchItem: []kmip.ResponseBatchItem{{
			Operation: kmip.OperationGetAttributes,
			ResponsePayload: &payloads.GetAttributesResponsePayload{UniqueIdentifier: "kek", Attribute: []kmip.Attribute{
				{AttributeName: kmip.AttributeNameState, AttributeValue: kmip.StateActive},
				{AttributeName: kmip.AttributeNameDigest, AttributeValue: kmip.Digest{HashingAlgorithm: kmip.HashingAlgorithmSHA_256, DigestValue: []byte{1, 2, 3}}},
			}},
		}},
	})
}

// item is one item in TTLV, whatever its value.
func item(tag int, kind ttlv.Type, value ...byte) []byte {
	data := binary.BigEndian.AppendUint32([]byte{byte(tag >> 16), byte(tag >> 8), byte(tag), byte(kind)}, uint32(len(value)))
	data = append(data, value...)
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	return data
}

func TestWhatIsReadAsAnAnswer(t *testing.T) {
	answer := func(inside ...byte) []byte { return item(kmip.TagResponseMessage, ttlv.TypeStructure, inside...) }
	tests := map[string]struct {
		data []byte
		want error
	}{
		"an answer":                             {good(), nil},
		"an answer, and the next":               {append(good(), good()...), nil},
		"an answer of the greatest length":      {answer(make([]byte, maxFrame)...)[:8], errOversized},
		"an integer of eight bytes":             {answer(item(kmip.TagBatchCount, ttlv.TypeInteger, make([]byte, 8)...)...), errGarbage},
		"a boolean of one byte":                 {answer(item(kmip.TagSensitive, ttlv.TypeBoolean, 1)...), errGarbage},
		"a type that does not exist":            {answer(item(kmip.TagBatchCount, 0x1b, 1, 2, 3)...), errGarbage},
		"a structure that ends within an item":  {answer(1, 2, 3), errGarbage},
		"a structure longer than what it is in": {answer(0x42, 0, 0x7a, 1, 0, 0, 1, 0), errGarbage},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			frame, err := readFrame(bytes.NewReader(test.data))
			if err == nil {
				_, err = decode(frame)
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestStructuresLieOnlySoDeep: the library's decoder would follow them down.
func TestStructuresLieOnlySoDeep(t *testing.T) {
	nested := []byte{}
	for range maxDepth {
		nested = item(kmip.TagAttribute, ttlv.TypeStructure, nested...)
	}
	if err := checkFrame(nested, 0); err != nil {
		t.Errorf("%d deep: %v", maxDepth, err)
	}
	if err := checkFrame(item(kmip.TagAttribute, ttlv.TypeStructure, nested...), 0); !errors.Is(err, errGarbage) {
		t.Errorf("%d deep: %v, want %v", maxDepth+1, err, errGarbage)
	}
}

// FuzzAnswers: whatever a server says, an answer is read or it is an error, and what it tells of a key can be told on; nothing panics, and nothing is read beyond its end.
func FuzzAnswers(f *testing.F) {
	f.Add(good())
	f.Add(item(kmip.TagResponseMessage, ttlv.TypeStructure, item(kmip.TagResponseHeader, ttlv.TypeStructure)...))
	f.Add(item(kmip.TagResponseMessage, ttlv.TypeStructure, item(kmip.TagBatchCount, ttlv.TypeInteger)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		frame, err := readFrame(r)
		if err != nil {
			return
		}
		if len(frame) > maxFrame || len(frame)+r.Len() != len(data) || !bytes.Equal(frame, data[:len(frame)]) {
			t.Fatalf("of %d bytes %d became the answer and %d are left", len(data), len(frame), r.Len())
		}
		message, err := decode(frame)
		if (message == nil) == (err == nil) {
			t.Fatalf("an answer %v and an error %v", message, err)
		}
		if err != nil {
			return
		}
		for _, item := range message.BatchItem {
			if answer, ok := item.ResponsePayload.(*payloads.GetAttributesResponsePayload); ok {
				judge(t, answer)
			}
		}
	})
}

// judge takes an answer as far as it goes: what is told of a key fits into an observation.
func judge(t *testing.T, answer *payloads.GetAttributesResponsePayload) {
	t.Helper()
	seen, err := read(answer.UniqueIdentifier, answer)
	if err != nil {
		return
	}
	names := map[string]bool{}
	for _, fact := range seen.facts() {
		if fact.Value == "" || len(fact.Value) > 256 || names[fact.Name] {
			t.Fatalf("told %+v", fact)
		}
		names[fact.Name] = true
	}
	if len(seen.kind()) > 64 {
		t.Fatalf("a kind is %q", seen.kind())
	}
}
