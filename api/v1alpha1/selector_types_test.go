package v1alpha1

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Ours is written as theirs is: what is read of one text is the same selector.
func TestANamespaceSelectorIsALabelSelector(t *testing.T) {
	for sentence, text := range map[string]string{
		"nothing":                  `{}`,
		"empty lists":              `{"matchLabels":{},"matchExpressions":[]}`,
		"labels":                   `{"matchLabels":{"data":"health","example.org/team":""}}`,
		"expressions":              `{"matchExpressions":[{"key":"a","operator":"In","values":["b","c"]},{"key":"d","operator":"NotIn","values":["e"]},{"key":"f","operator":"Exists"},{"key":"g","operator":"DoesNotExist"}]}`,
		"both":                     `{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"c","operator":"Exists"}]}`,
		"what neither understands": `{"matchLabels":{"a b":"c d"},"matchExpressions":[{"key":"","operator":"Gt","values":["-"]}]}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			var ours NamespaceSelector
			var theirs metav1.LabelSelector
			for _, selector := range []any{&ours, &theirs} {
				if err := json.Unmarshal([]byte(text), selector); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(plain(t, &theirs), plain(t, ours.LabelSelector())); diff != "" {
				t.Errorf("converted (-theirs +ours):\n%s", diff)
			}
			if diff := cmp.Diff(plain(t, &theirs), plain(t, &ours)); diff != "" {
				t.Errorf("written (-theirs +ours):\n%s", diff)
			}
		})
	}
}

func TestALabelSelectorSharesNothingWithWhatItIsMadeOf(t *testing.T) {
	ours := NamespaceSelector{
		MatchLabels:      map[string]LabelValue{"a": "b"},
		MatchExpressions: []NamespaceRequirement{{Key: "c", Operator: NamespaceOperatorIn, Values: []LabelValue{"d"}}},
	}
	before := ours.DeepCopy()
	made := ours.LabelSelector()
	made.MatchLabels["a"], made.MatchExpressions[0].Values[0], made.MatchExpressions[0].Key = "x", "x", "x"
	if diff := cmp.Diff(before, &ours); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
}

func plain(t *testing.T, selector any) string {
	t.Helper()
	text, err := json.Marshal(selector)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
