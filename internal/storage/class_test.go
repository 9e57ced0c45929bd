package storage

import (
	"maps"
	"testing"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// class is the StorageClass encrypted of driver d, with parameters as names and values by turns.
func class(d string, pairs ...string) *storagev1.StorageClass {
	c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "encrypted", UID: "c1"}, Provisioner: d, Parameters: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		c.Parameters[pairs[i]] = pairs[i+1]
	}
	return c
}

func TestARecordTellsAClassFromItsSuccessors(t *testing.T) {
	before := class("d", "a", "1", "b", "2")
	recorded := Digest(before)
	for what, c := range map[string]struct {
		class *storagev1.StorageClass
		same  bool
	}{
		"the class itself": {before, true},
		"with other labels, which do not matter": {func() *storagev1.StorageClass {
			c := before.DeepCopy()
			c.Labels = map[string]string{"x": "y"}
			return c
		}(), true},
		"another UID": {func() *storagev1.StorageClass {
			c := before.DeepCopy()
			c.UID = "c2"
			return c
		}(), false},
		"another driver":                        {class("e", "a", "1", "b", "2"), false},
		"another value":                         {class("d", "a", "1", "b", "3"), false},
		"another name":                          {class("d", "a", "1", "B", "2"), false},
		"one parameter fewer":                   {class("d", "a", "1"), false},
		"one more":                              {class("d", "a", "1", "b", "2", "c", ""), false},
		"a name that holds what separates":      {class("d", `a":"1","b`, "2"), false},
		"a value that holds what separates":     {class("d", "a", `1","b":"2`), false},
		"a driver that holds what separates":    {class(`d","a":"1`, "b", "2"), false},
		"values that changed places":            {class("d", "a", "2", "b", "1"), false},
		"a class that is not there is no class": {nil, false},
	} {
		if got := sameClass(recorded, c.class); got != c.same {
			t.Errorf("%s: same is %v", what, got)
		}
	}
	if sameClass("", before) {
		t.Error("nothing recorded is no class")
	}
	if want := "c1:bb2fb965b9e1ee43b84d7e9c39192176"; recorded != want {
		t.Errorf("the record is %s, not %s: records of claims that are there would not fit any more", recorded, want)
	}
}

func TestImmediateIsWhatIsNotSaidOtherwise(t *testing.T) {
	waits, immediate := storagev1.VolumeBindingWaitForFirstConsumer, storagev1.VolumeBindingImmediate
	for mode, want := range map[*storagev1.VolumeBindingMode]bool{nil: true, &immediate: true, &waits: false} {
		c := class("d")
		c.VolumeBindingMode = mode
		if Immediate(c) != want {
			t.Errorf("with mode %v it is %v", mode, !want)
		}
	}
}

// Nobody may change what others hold: classes are cached.
func TestResolvingLeavesTheClassAsItIs(t *testing.T) {
	for _, d := range driverNames() {
		c := class(d, "Encrypted", "true", "kmsKeyId", "k", "KMSKEYID", "l")
		before := maps.Clone(c.Parameters)
		OfClass(c, nil)
		if !maps.Equal(before, c.Parameters) || c.UID != types.UID("c1") {
			t.Errorf("%s changed the class", d)
		}
	}
}
