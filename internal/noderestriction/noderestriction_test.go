package noderestriction_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/terroir-dev/terroir/internal/noderestriction"
)

const (
	help = `# HELP aggregator_discovery_aggregation_count_total [ALPHA] Counter
aggregator_discovery_aggregation_count_total 3
# HELP apiserver_admission_controller_admission_duration_seconds [STABLE] Admission controller latency histogram in seconds
# TYPE apiserver_admission_controller_admission_duration_seconds histogram
`
	others = `apiserver_admission_controller_admission_duration_seconds_bucket{name="NamespaceLifecycle",operation="CREATE",rejected="false",type="admit",le="+Inf"} 7
apiserver_admission_controller_admission_duration_seconds_count{name="NamespaceLifecycle",operation="CREATE",rejected="false",type="admit"} 7
`
	ours = `apiserver_admission_controller_admission_duration_seconds_bucket{name="NodeRestriction",operation="CREATE",rejected="false",type="admit",le="+Inf"} 7
apiserver_admission_controller_admission_duration_seconds_count{name="NodeRestriction",operation="CREATE",rejected="false",type="admit"} 7
`
	rest = `# HELP apiserver_audit_event_total [ALPHA] Counter
apiserver_audit_event_total 0
`
)

func TestRead(t *testing.T) {
	for sentence, test := range map[string]struct {
		metrics io.Reader
		want    noderestriction.State
		fails   bool
	}{
		"the plugin is counted":                      {strings.NewReader(help + others + ours + rest), noderestriction.On, false},
		"it is the only one":                         {strings.NewReader(help + ours), noderestriction.On, false},
		"others are counted, and it is not":          {strings.NewReader(help + others + rest), noderestriction.Off, false},
		"so they are, at the end of all":             {strings.NewReader(help + others), noderestriction.Off, false},
		"no plugin is counted":                       {strings.NewReader(help + rest), noderestriction.Unknown, false},
		"there are no metrics":                       {strings.NewReader(""), noderestriction.Unknown, false},
		"its name in another metric says nothing":    {strings.NewReader(help + `x{name="NodeRestriction"} 1`), noderestriction.Unknown, false},
		"reading fails":                              {iotest.ErrReader(errors.New("gone")), noderestriction.Unknown, true},
		"a line without end":                         {strings.NewReader(help + strings.Repeat("x", 1<<20)), noderestriction.Unknown, true},
		"what comes after the metric is not read":    {io.MultiReader(strings.NewReader(help+others+rest), iotest.ErrReader(errors.New("gone"))), noderestriction.Off, false},
		"reading fails in the middle: it may follow": {io.MultiReader(strings.NewReader(help+others), iotest.ErrReader(errors.New("gone"))), noderestriction.Unknown, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := noderestriction.Read(test.metrics)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(help + others + ours + rest)
	f.Fuzz(func(t *testing.T, metrics string) {
		if got, err := noderestriction.Read(strings.NewReader(metrics)); got != noderestriction.Unknown && err != nil {
			t.Errorf("%v, although %v", got, err)
		}
	})
}
