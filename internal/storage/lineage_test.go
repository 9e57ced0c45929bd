package storage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// claimed is a claim of namespace hr, made some minutes after noon, from a source: "", "claim/<name>", "snapshot/<name>" or "group/Kind/name".
func claimed(name string, minute int, source string) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "hr", Name: name, CreationTimestamp: noon(time.Duration(minute) * time.Minute)}}
	group, snapshots := "", snapshotGroup
	switch parts := strings.Split(source, "/"); {
	case source == "":
	case parts[0] == "claim":
		c.Spec.DataSource = &corev1.TypedLocalObjectReference{APIGroup: &group, Kind: SourceClaim, Name: parts[1]}
	case parts[0] == "snapshot":
		c.Spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: &snapshots, Kind: SourceSnapshot, Name: parts[1]}
	default:
		c.Spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: &parts[0], Kind: parts[1], Name: parts[2]}
	}
	return c
}

// among finds claims and snapshots by their names.
func among(claims []*corev1.PersistentVolumeClaim, snapshots map[string]Snapshot) Sources {
	return Sources{
		Claim: func(namespace, name string) *corev1.PersistentVolumeClaim {
			for _, c := range claims {
				if c.Namespace == namespace && c.Name == name {
					return c
				}
			}
			return nil
		},
		Snapshot: func(_, name string) *Snapshot {
			if s, has := snapshots[name]; has {
				return &s
			}
			return nil
		},
	}
}

func TestKeysOfAllThatAVolumeDescendsFromCount(t *testing.T) {
	elsewhere := claimed("c", 9, "snapshot/s")
	other := "pay"
	elsewhere.Spec.DataSourceRef.Namespace = &other
	for what, c := range map[string]struct {
		claim     *corev1.PersistentVolumeClaim
		others    []*corev1.PersistentVolumeClaim
		snapshots map[string]Snapshot
		want      string // the names of its ancestors, and what is unknown
	}{
		"made from nothing":       {claim: claimed("c", 9, ""), want: "[] "},
		"a clone":                 {claim: claimed("c", 9, "claim/a"), others: []*corev1.PersistentVolumeClaim{claimed("a", 1, "")}, want: "[a] "},
		"a clone of a clone":      {claim: claimed("c", 9, "claim/b"), others: []*corev1.PersistentVolumeClaim{claimed("b", 5, "claim/a"), claimed("a", 1, "")}, want: "[b a] "},
		"restored":                {claim: claimed("c", 9, "snapshot/s"), others: []*corev1.PersistentVolumeClaim{claimed("a", 1, "")}, snapshots: map[string]Snapshot{"s": {"a", noon(5 * time.Minute)}}, want: "[a] "},
		"restored from a clone":   {claim: claimed("c", 9, "snapshot/s"), others: []*corev1.PersistentVolumeClaim{claimed("b", 3, "claim/a"), claimed("a", 1, "")}, snapshots: map[string]Snapshot{"s": {"b", noon(5 * time.Minute)}}, want: "[b a] "},
		"a source that is gone":   {claim: claimed("c", 9, "claim/a"), want: "[] claim c is made from claim a, which is not there, so nobody can tell its key"},
		"a snapshot that is gone": {claim: claimed("c", 9, "snapshot/s"), want: "[] claim c is made from VolumeSnapshot s, which is not there, so nobody can tell its key"},
		"a snapshot whose claim is gone": {
			claim: claimed("c", 9, "snapshot/s"), snapshots: map[string]Snapshot{"s": {"a", noon(5 * time.Minute)}},
			want: "[] VolumeSnapshot s is made from claim a, which is not there, so nobody can tell its key",
		},
		"a snapshot of something outside": {
			claim: claimed("c", 9, "snapshot/s"), snapshots: map[string]Snapshot{"s": {"", noon(0)}},
			want: "[] claim c is made from VolumeSnapshot s, which was not taken from a claim of this cluster, so nobody can tell its key",
		},
		"something else": {claim: claimed("c", 9, "example.com/Image/debian"), want: "[] claim c is made from example.com/Image debian, of which nobody can tell the key"},
		"something that is called like a claim": {
			claim: claimed("c", 9, "example.com/PersistentVolumeClaim/a"), others: []*corev1.PersistentVolumeClaim{claimed("a", 1, "")},
			want: "[] claim c is made from example.com/PersistentVolumeClaim a, of which nobody can tell the key",
		},
		"a source whose name somebody took": {
			claim: claimed("c", 9, "claim/a"), others: []*corev1.PersistentVolumeClaim{claimed("a", 10, "")},
			want: "[] claim c is made from claim a, which is not older: it may be another one under that name, so create claim c again",
		},
		"a source as old to the second": {
			claim: claimed("c", 9, "claim/a"), others: []*corev1.PersistentVolumeClaim{claimed("a", 9, "")},
			want: "[] claim c is made from claim a, which is not older: it may be another one under that name, so create claim c again",
		},
		"a snapshot whose name somebody took": {
			claim: claimed("c", 9, "snapshot/s"), others: []*corev1.PersistentVolumeClaim{claimed("a", 1, "")}, snapshots: map[string]Snapshot{"s": {"a", noon(9 * time.Minute)}},
			want: "[] claim c is made from VolumeSnapshot s, which is not older: it may be another one under that name, so create the claim again",
		},
		"a snapshot of a claim whose name somebody took": {
			claim: claimed("c", 9, "snapshot/s"), others: []*corev1.PersistentVolumeClaim{claimed("a", 6, "")}, snapshots: map[string]Snapshot{"s": {"a", noon(5 * time.Minute)}},
			want: "[] VolumeSnapshot s is made from claim a, which is not older: it may be another one under that name, so create VolumeSnapshot s again",
		},
		"a clone of a clone of something that is gone": {
			claim: claimed("c", 9, "claim/b"), others: []*corev1.PersistentVolumeClaim{claimed("b", 5, "claim/a")},
			want: "[b] claim b is made from claim a, which is not there, so nobody can tell its key",
		},
		"its own clone": {
			claim: claimed("c", 9, "claim/c"), others: []*corev1.PersistentVolumeClaim{claimed("c", 9, "claim/c")},
			want: "[] claim c is made from claim c, which is not older: it may be another one under that name, so create claim c again",
		},
		"a circle": {
			claim: claimed("c", 9, "claim/a"), others: []*corev1.PersistentVolumeClaim{claimed("a", 1, "claim/c"), claimed("c", 9, "claim/a")},
			want: "[a] claim a is made from claim c, which is not older: it may be another one under that name, so create claim a again",
		},
		"a snapshot of another namespace": {
			claim: elsewhere, others: []*corev1.PersistentVolumeClaim{claimed("a", 1, "")}, snapshots: map[string]Snapshot{"s": {"a", noon(5 * time.Minute)}},
			want: "[] VolumeSnapshot s is made from claim a, which is not there, so nobody can tell its key",
		},
	} {
		t.Run(what, func(t *testing.T) {
			if got := told(Lineage(c.claim, among(c.others, c.snapshots))); got != c.want {
				t.Errorf("it says %q, not %q", got, c.want)
			}
		})
	}
}

func told(ancestors []*corev1.PersistentVolumeClaim, unknown string) string {
	names := []string{}
	for _, a := range ancestors {
		names = append(names, a.Name)
	}
	return fmt.Sprintf("%v %s", names, unknown)
}

func TestALineIsFollowedSoFarAndNoFarther(t *testing.T) {
	line := func(ancestors int) string {
		all := []*corev1.PersistentVolumeClaim{claimed("c0", 0, "")}
		for i := 1; i <= ancestors; i++ {
			all = append(all, claimed(fmt.Sprint("c", i), i, fmt.Sprint("claim/c", i-1)))
		}
		found, unknown := Lineage(all[ancestors], among(all, nil))
		return fmt.Sprintf("%d %s", len(found), unknown)
	}
	if got := line(maxLineage); got != "16 " {
		t.Errorf("of sixteen: %s", got)
	}
	if got := line(maxLineage + 1); got != "16 claim c17 descends from more than 16 others" {
		t.Errorf("of seventeen: %s", got)
	}
}

func TestWhereNothingCanBeFoundNothingIsKnown(t *testing.T) {
	for _, source := range []string{"claim/a", "snapshot/s"} {
		if _, unknown := Lineage(claimed("c", 9, source), Sources{}); unknown == "" {
			t.Errorf("the line through %s has an end", source)
		}
	}
}
