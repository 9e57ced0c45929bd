package fence_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/policy"
)

func levelsOf(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("level-%03d", i))
	}
	return out
}

func demandsOf(n int) []policy.Demand {
	var out []policy.Demand
	for i := range n {
		source := policy.Source{Kind: "PlacementPolicy", Namespace: "hr", Name: fmt.Sprintf("p-%03d", i)}
		out = append(out, policy.Demand{Source: source, Levels: []string{fmt.Sprintf("level-%03d", i)}})
	}
	return out
}

func TestFloor(t *testing.T) {
	valid := floorSchema(t)
	for sentence, c := range map[string]struct {
		owed                   policy.Obligation
		levels, demands, sites int
		problem                string // a part of it; empty: there is none
		skew                   int32
	}{
		"nothing is owed": {},
		"what is owed fits": {
			owed:   policy.Obligation{Levels: levelsOf(64), Demands: demandsOf(256), MinSites: 64, MaxSkew: 1000},
			levels: 64, demands: 256, sites: 64, skew: 1000,
		},
		"a level more than fits": {
			owed: policy.Obligation{Levels: levelsOf(65)}, levels: 64,
			problem: "namespace hr owes 65 trust levels, and at most 64 can be enforced together; have its policies ask for fewer",
		},
		"more levels than fit, and a problem anyway": {
			owed: policy.Obligation{Levels: levelsOf(65), Missing: levelsOf(65), Problems: []policy.Problem{{Message: "level-000 does not exist"}}}, levels: 64,
			problem: "level-000 does not exist",
		},
		"a demand more than fits is not told, and nothing follows": {
			owed: policy.Obligation{Levels: levelsOf(1), Demands: demandsOf(257)}, levels: 1, demands: 256,
		},
		"more sites than there can be": {
			owed: policy.Obligation{Levels: levelsOf(1), MinSites: 65}, levels: 1, sites: 64, problem: "owes a spread over 65 sites, and at most 64 can be enforced",
		},
		"a larger skew than there can be becomes a stricter one": {
			owed: policy.Obligation{Levels: levelsOf(1), MinSites: 2, MaxSkew: 1001}, levels: 1, sites: 2, skew: 1000,
		},
		"the name of a level is none": {
			owed: policy.Obligation{Levels: []string{"SecNumCloud 3.2", "in-france"}}, levels: 1, problem: "namespace hr owes a trust level whose name is not one",
		},
		"the name of a level is too long": {
			owed: policy.Obligation{Levels: []string{strings.Repeat("x", 64)}}, problem: "whose name is not one",
		},
		"a long message is cut": {
			owed: policy.Obligation{Problems: []policy.Problem{{Message: strings.Repeat("é", 3000)}}}, problem: "é…",
		},
		"of several problems the first is told": {
			owed: policy.Obligation{Problems: []policy.Problem{{Message: "the first"}, {Message: "the second"}}}, problem: "the first",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			floor := fence.Floor("hr", c.owed)
			valid(t, floor)
			s := floor.Spec
			got := []int{len(s.TrustLevels), len(s.DemandedBy), int(s.MinSites), int(s.MaxSkew)}
			if diff := cmp.Diff([]int{c.levels, c.demands, c.sites, int(c.skew)}, got); diff != "" {
				t.Errorf("levels, demands, sites and skew (-want +got):\n%s", diff)
			}
			if problem := strings.Join(s.Problems, "\n"); (c.problem == "") != (problem == "") || !strings.Contains(problem, c.problem) {
				t.Errorf("the problem is %q, want %q", problem, c.problem)
			}
		})
	}
}

// Whatever is owed, the floor is one that can be stored, and it owes no less: either it has all of it, or a problem.
func TestAFloorIsStoredAndOwesNoLess(t *testing.T) {
	valid := floorSchema(t)
	for seed := range uint64(100) {
		owed := excessive(rand.New(rand.NewPCG(seed, 1)))
		floor := fence.Floor("hr", owed)
		valid(t, floor)
		if s := floor.Spec; len(s.Problems) == 0 && (less(s, owed) || len(owed.Problems) > 0) {
			t.Errorf("owed are %d levels, %d missing, %d sites, skew %d, %d problems; the floor is %+v",
				len(owed.Levels), len(owed.Missing), owed.MinSites, owed.MaxSkew, len(owed.Problems), s)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// less says whether a floor owes less than the obligation that it was made of. A smaller skew is more.
func less(s v1alpha1.PlacementFloorSpec, owed policy.Obligation) bool {
	return len(s.TrustLevels) < len(owed.Levels) || len(s.MissingTrustLevels) < len(owed.Missing) || s.MinSites < owed.MinSites || owed.MaxSkew > 0 && s.MaxSkew > owed.MaxSkew
}

// excessive is an obligation that no set of policies would make.
func excessive(r *rand.Rand) policy.Obligation {
	owed := policy.Obligation{
		Levels: levelsOf(r.IntN(130)), Demands: demandsOf(r.IntN(500)), MinSites: r.Int32N(130), MaxSkew: r.Int32N(2000) - 500,
	}
	if r.IntN(3) == 0 {
		owed.Levels = append(owed.Levels, pick(r, []string{"", "Ä", "-a", strings.Repeat("x", 1000), "a.b"}))
	}
	if r.IntN(3) == 0 {
		owed.Missing = owed.Levels[:r.IntN(len(owed.Levels)+1)]
	}
	for range r.IntN(3) {
		owed.Problems = append(owed.Problems, policy.Problem{Message: strings.Repeat(pick(r, []string{"x", "ö", "𝄞"}), r.IntN(3000))})
	}
	for i := range owed.Demands {
		owed.Demands[i].Levels = levelsOf(r.IntN(80))
	}
	return owed
}

// floorSchema gives a check that the API server would store a floor, as far as bounds and forms are concerned.
func floorSchema(t *testing.T) func(*testing.T, *v1alpha1.PlacementFloor) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "terroir.dev_placementfloors.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &definition); err != nil {
		t.Fatal(err)
	}
	var schema apiextensions.JSONSchemaProps
	err = apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, &schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(&schema)
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, floor *v1alpha1.PlacementFloor) {
		t.Helper()
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(floor)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range validation.ValidateCustomResource(nil, object, validator) {
			t.Errorf("the schema refuses the floor: %.500v", e)
		}
	}
}
