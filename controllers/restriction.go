package controllers

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/noderestriction"
)

// How long the API server may take to give its metrics, and how long what they said is taken for true: plugins change when it is started anew.
const (
	metricsWithin = 30 * time.Second
	askAgain      = time.Hour
)

// restriction finds out, on the leader, whether the API server runs NodeRestriction. Nothing depends on the answer; it is told in the
// status of TerroirConfig.
type restriction struct {
	metrics func(context.Context) (io.ReadCloser, error)
	news    announcements
	found   atomic.Pointer[metav1.Condition]
}

// Start asks at once, and then rarely, until the context ends.
func (r *restriction) Start(ctx context.Context) error {
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		found := r.ask(ctx)
		r.found.Store(&found)
		r.news.announce()
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

func (r *restriction) ask(ctx context.Context) metav1.Condition {
	ctx, cancel := context.WithTimeout(ctx, metricsWithin)
	defer cancel()
	metrics, err := r.metrics(ctx)
	if err != nil {
		return untold(fmt.Sprintf("the API server does not show its metrics, which would tell: %v", err))
	}
	defer func() { _ = metrics.Close() }() // what was to be read was read
	state, err := noderestriction.Read(metrics)
	switch {
	case err != nil:
		return untold(err.Error())
	case state == noderestriction.On:
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: "PluginOn", Message: "the API server that was asked runs NodeRestriction: kubelets cannot write Terroir's node labels"}
	case state == noderestriction.Off:
		return metav1.Condition{
			Status: metav1.ConditionFalse, Reason: "PluginOff",
			Message: "the API server that was asked does not run NodeRestriction: a kubelet may write any label of any node; start it with --enable-admission-plugins=NodeRestriction",
		}
	default:
		return untold("the API server's metrics count no admission plugin")
	}
}

func untold(why string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: "NotTold", Message: why}
}

// tell says what was found.
func (r *restriction) tell(s *v1alpha1.ConditionedStatus, generation int64) {
	found := r.found.Load()
	if found == nil {
		waiting := untold("the API server has not been asked yet")
		found = &waiting
	}
	condition(s, generation, v1alpha1.ConditionNodeRestriction, found.Status, found.Reason, found.Message)
}
