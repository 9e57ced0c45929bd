package controllers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// teller finds the words for the statuses of the catalogue. Each of its methods returns a copy of an object with the status it should have.
type teller struct {
	catalogue *trust.Catalogue
	view      *trust.View
	used      usage
	// zones and levels are the view's summaries, by name: made once, not once for each object.
	zones  map[string]trust.ZoneSummary
	levels map[string]trust.LevelSummary
}

func newTeller(catalogue *trust.Catalogue, view *trust.View, used usage) teller {
	t := teller{catalogue: catalogue, view: view, used: used, zones: map[string]trust.ZoneSummary{}, levels: map[string]trust.LevelSummary{}}
	for _, z := range view.Zones() {
		t.zones[z.Name] = z
	}
	for _, l := range view.TrustLevels() {
		t.levels[l.Name] = l
	}
	return t
}

// ready sets the condition Ready from what is wrong with an object.
func (t teller) ready(s *v1alpha1.ConditionedStatus, kind string, o client.Object) {
	problems := t.catalogue.ProblemsOf(kind, o.GetName())
	if len(problems) == 0 {
		condition(s, o.GetGeneration(), v1alpha1.ConditionReady, metav1.ConditionTrue, "Resolved", "complete, and everything it refers to exists")
		return
	}
	messages := make([]string, len(problems))
	for i, p := range problems {
		messages[i] = p.Field + ": " + p.Message
	}
	condition(s, o.GetGeneration(), v1alpha1.ConditionReady, metav1.ConditionFalse, string(problems[0].Reason), strings.Join(messages, "; "))
}

func (t teller) framework(f *v1alpha1.Framework, qualifications []v1alpha1.Qualification) *v1alpha1.Framework {
	wanted := f.DeepCopy()
	wanted.Status.Qualifications = 0
	for i := range qualifications {
		if string(qualifications[i].Spec.Framework) == f.Name {
			wanted.Status.Qualifications++
		}
	}
	t.ready(&wanted.Status.ConditionedStatus, trust.KindFramework, f)
	return wanted
}

func (t teller) provider(p *v1alpha1.CloudProvider) *v1alpha1.CloudProvider {
	wanted := p.DeepCopy()
	t.ready(&wanted.Status.ConditionedStatus, trust.KindCloudProvider, p)
	return wanted
}

func (t teller) zone(z *v1alpha1.Zone) *v1alpha1.Zone {
	wanted := z.DeepCopy()
	s := &wanted.Status
	s.Nodes = t.used.zoneNodes[z.Name]
	s.TrustLevels, s.Satisfies, s.Site, s.NextChange = nil, "", z.Name, nil
	if summary, known := t.zones[z.Name]; known {
		s.Site, s.NextChange = summary.Site, moment(summary.NextChange)
		s.TrustLevels, s.Satisfies = levelsOf(summary.Standings)
	}
	t.ready(&s.ConditionedStatus, trust.KindZone, z)
	return wanted
}

// levelsOf lists what a zone is worth, and names what it satisfies in one line.
func levelsOf(standings []trust.Standing) (levels []v1alpha1.ZoneTrustLevel, satisfies string) {
	const most = 256 // the schema's bound
	var satisfied []string
	for i := range standings {
		s := &standings[i]
		if s.Worth == trust.Open {
			satisfied = append(satisfied, s.Level)
		}
		if len(levels) < most {
			levels = append(levels, v1alpha1.ZoneTrustLevel{
				Name: s.Level, Satisfied: s.Worth == trust.Open, Until: moment(s.Until), Reason: string(s.Reason),
				Message: clip(strings.Join(append([]string{s.Message}, s.Warnings...), "; ")),
			})
		}
	}
	return levels, strings.Join(satisfied, ", ")
}

func (t teller) qualification(q *v1alpha1.Qualification) *v1alpha1.Qualification {
	wanted := q.DeepCopy()
	s := &wanted.Status
	validity := t.view.Qualification(q.Name)
	s.NextChange = moment(validity.NextChange)
	t.ready(&s.ConditionedStatus, trust.KindQualification, q)
	condition(&s.ConditionedStatus, q.Generation, v1alpha1.ConditionInForce, truth(validity.Counts), string(validity.Reason), validity.Message)
	return wanted
}

func (t teller) level(l *v1alpha1.TrustLevel) *v1alpha1.TrustLevel {
	wanted := l.DeepCopy()
	s := &wanted.Status
	users := t.used.users(l.Name)
	s.Nodes, s.Pods, s.Astray = t.used.openNodes[l.Name], t.used.pods[l.Name], t.used.astray[l.Name]
	stray := t.used.stray[l.Name]
	s.AstrayVolumes, s.Straying = int32(len(stray)), slices.Clone(stray[:min(len(stray), listedViolations)])
	s.RequiredBy = users[:min(len(users), 16)]
	s.Zones, s.Sites, s.NextChange = 0, 0, nil
	nearest := "there are no zones"
	if summary, known := t.levels[l.Name]; known {
		s.Zones, s.Sites, s.NextChange = int32(len(summary.Zones)), int32(len(summary.Sites)), moment(summary.NextChange)
		if summary.Nearest.Message != "" {
			nearest = summary.Nearest.Message
		}
	}
	t.ready(&s.ConditionedStatus, trust.KindTrustLevel, l)
	if !l.DeletionTimestamp.IsZero() {
		condition(&s.ConditionedStatus, l.Generation, v1alpha1.ConditionReady, metav1.ConditionFalse, "InUse",
			"is being deleted, but goes on counting while it is required by "+strings.Join(users, ", "))
	}
	if s.Zones > 0 {
		condition(&s.ConditionedStatus, l.Generation, v1alpha1.ConditionSatisfied, metav1.ConditionTrue, "Satisfied",
			fmt.Sprintf("%d zones on %d sites satisfy it", s.Zones, s.Sites))
	} else {
		condition(&s.ConditionedStatus, l.Generation, v1alpha1.ConditionSatisfied, metav1.ConditionFalse, "NoZoneSatisfies", "no zone satisfies it: "+nearest)
	}
	return wanted
}

// moment is a time as statuses have it; the zero time is none.
func moment(at time.Time) *metav1.Time {
	if at.IsZero() {
		return nil
	}
	t := metav1.NewTime(at.UTC().Truncate(time.Second))
	return &t
}
