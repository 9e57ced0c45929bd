package trust

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// instant takes a time out of the API's type. Absent and zero are the same: no time was given.
func instant(t *metav1.Time) time.Time {
	if t == nil || t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// length parses a duration. Zero is what nobody gave.
func length(f *file, field string, d *v1alpha1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	parsed, err := time.ParseDuration(string(*d))
	if err != nil || parsed <= 0 {
		f.reject(field, Malformed, "%q must be a positive length of time of at most 2562047h, such as 8760h", *d)
		return 0
	}
	return parsed
}

// texts turns the API's string types into strings, in a list of their own.
func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// sorted is texts in the order of the alphabet, each once.
func sorted[T ~string](list []T) []string {
	out := texts(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// share says whether two lists have a word in common.
func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(word string) bool { return slices.Contains(b, word) })
}

func knownServiceModel(m v1alpha1.ServiceModel) bool {
	switch m {
	case v1alpha1.IaaS, v1alpha1.CaaS, v1alpha1.PaaS, v1alpha1.SaaS:
		return true
	}
	return false
}
