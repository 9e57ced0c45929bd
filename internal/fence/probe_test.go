package fence

import (
	"errors"
	"testing"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestWhatTheAnswerToTheProbeTells(t *testing.T) {
	refusal := func(says string) error {
		return errors.New(`leases "terroir-probe" is forbidden: ValidatingAdmissionPolicy 'terroir-probe' with binding 'terroir-probe' denied request: ` + says)
	}
	for what, c := range map[string]struct {
		err  error
		want v1alpha1.Fence
		told bool
	}{
		"it is admitted":                    {nil, v1alpha1.FenceOff, true},
		"it is refused as it was sent":      {refusal(saysJudged), v1alpha1.FenceValidatingOnly, true},
		"it is refused, and was shaped":     {refusal(saysShaped), v1alpha1.FenceFull, true},
		"somebody else refuses it":          {errors.New("admission webhook denied the request: no leases on Sundays"), "", false},
		"the API server cannot be reached":  {errors.New("connection refused"), "", false},
		"the API server is not yet through": {errors.New("not yet ready to handle request"), "", false},
	} {
		t.Run(what, func(t *testing.T) {
			if got, told := Answer(c.err); got != c.want || told != c.told {
				t.Errorf("it tells %q, %v; want %q, %v", got, told, c.want, c.told)
			}
		})
	}
}
