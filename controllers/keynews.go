package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// keyNews tells as events that keys begin, or cease, to be what they must be, and that they are revoked. It belongs to one loop.
type keyNews struct {
	recorder events.EventRecorder
	// told is what was last told of each key. The cache may not have seen yet what was written of it.
	told map[types.UID]v1alpha1.KeyPhase
}

// remember forgets all keys but these.
func (n *keyNews) remember(all []keyStatus) {
	told := make(map[types.UID]v1alpha1.KeyPhase, len(all))
	for _, k := range all {
		if phase, known := n.told[k.is.UID]; known {
			told[k.is.UID] = phase
		}
	}
	n.told = told
}

// tell tells of a key whose phase is another than it was, if that is one that matters to somebody: Verified, or not any more, or revoked.
func (n *keyNews) tell(k keyStatus) {
	was, told := n.told[k.is.UID]
	if !told {
		was = k.is.Status.Phase
	}
	is := k.verdict
	n.told[k.is.UID] = is.Phase
	switch {
	case is.Phase == was:
	case is.Verified():
		n.recorder.Eventf(k.is, nil, corev1.EventTypeNormal, is.Reason, "Judge", "%s", is.Message)
	case is.Revoked(), was == v1alpha1.PhaseVerified:
		n.recorder.Eventf(k.is, nil, corev1.EventTypeWarning, is.Reason, "Judge", "%s", is.Message)
	}
}
