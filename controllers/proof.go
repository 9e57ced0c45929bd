package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
)

// How often to ask what the API server enforces. It reads admission policies anew every second: what was just written is asked for
// until it is in force, or until it must be taken that it never will be.
const (
	askSoon   = 250 * time.Millisecond
	askAgain  = 10 * time.Second
	askRarely = 10 * time.Minute
	settles   = 10 * time.Second
	asksFor   = 3 * time.Second // how long an answer may take
)

// proof is what was seen of the fence: not what was written, but what the API server answers.
type proof struct {
	client client.Client
	// inForce is the last answer; empty: none yet.
	inForce v1alpha1.Fence
	// failed tells that the last question got no answer. It changes nothing that is proven already.
	failed bool
	// wrote is when the fence was last changed, next when to ask again.
	wrote, next time.Time
}

// shapes tells that the API server was seen to shape pods itself.
func (p *proof) shapes() bool { return p.inForce == v1alpha1.FenceFull }

// changed tells that the fence was just written.
func (p *proof) changed(now time.Time) { p.wrote, p.next = now, now }

// ask asks the API server what it enforces, if it is time to. Expected is what it will once it has read what was written: until
// then, a lesser answer is none.
func (p *proof) ask(ctx context.Context, expected v1alpha1.Fence, now time.Time) {
	if now.Before(p.next) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, asksFor)
	defer cancel()
	answer, told := fence.Answer(p.client.Create(ctx, fence.Lease(), client.DryRunAll))
	p.take(answer, told, expected, now)
}

func (p *proof) take(answer v1alpha1.Fence, told bool, expected v1alpha1.Fence, now time.Time) {
	settling := now.Before(p.wrote.Add(settles))
	switch {
	case told && answer == expected:
		p.inForce, p.failed, p.next = answer, false, now.Add(askRarely)
	case settling:
		p.next = now.Add(askSoon)
	case told:
		p.inForce, p.failed, p.next = answer, false, now.Add(askAgain)
	default:
		p.failed, p.next = true, now.Add(askAgain)
	}
}
