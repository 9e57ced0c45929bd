package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// certificate is the one that secnumcloud rests on here.
const certificate = "fictitious-outscale-oks"

// suspension takes the ground away, and gives it back.
func (s *story) suspension(ctx context.Context) error {
	before, err := s.quiet(ctx)
	if err != nil {
		return err
	}
	if err := s.suspend(ctx, len(before)); err != nil {
		return err
	}
	if err := s.counted(ctx, before); err != nil {
		return err
	}
	newcomer := governedPod("newcomer")
	if err := s.comes(ctx, newcomer); err != nil {
		return err
	}
	if err := s.holds(ctx, fmt.Sprintf("meanwhile the %d that ran still run, the same ones on the same nodes", len(before)), func(ctx context.Context) error {
		return s.stays(ctx, before)
	}); err != nil {
		return err
	}
	return s.restore(ctx, newcomer, before)
}

// quiet waits until what earlier chapters removed is gone, and gives the pods that run.
func (s *story) quiet(ctx context.Context) (running []place, err error) {
	err = await(ctx, "every pod in "+health+" runs on an open node, and the policy counts no violations", func(ctx context.Context) (err error) {
		running, err = s.compliant(ctx)
		return err
	})
	return running, err
}

// compliant checks that every pod of the namespace runs on an open node, and that the policy counts them so.
func (s *story) compliant(ctx context.Context) ([]place, error) {
	all, err := s.places(ctx, health, "")
	if err != nil {
		return nil, err
	}
	for i := range all {
		if p := &all[i]; p.pod.Status.Phase != corev1.PodRunning || !p.open(secnumcloud) {
			return nil, fmt.Errorf("pod %s is %s on %q", p.pod.Name, p.pod.Status.Phase, p.node.Name)
		}
	}
	p := &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy}}
	if err := s.get(ctx, p); err != nil {
		return nil, err
	}
	if int(p.Status.Pods) != len(all) || p.Status.Violations != 0 {
		return nil, fmt.Errorf("the policy counts %d pods and %d violations, and %d run", p.Status.Pods, p.Status.Violations, len(all))
	}
	return all, has("the policy", p.Status.Conditions, v1alpha1.ConditionCompliant, metav1.ConditionTrue)
}

func (s *story) state(ctx context.Context, state string) error {
	q := &v1alpha1.Qualification{ObjectMeta: metav1.ObjectMeta{Name: certificate}}
	return s.Patch(ctx, q, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"state":"`+state+`"}}`)))
}

// suspend shows the warning with its numbers, and measures how long nodes stay open.
func (s *story) suspend(ctx context.Context, pods int) error {
	open, err := s.openNodes(ctx, secnumcloud)
	if err != nil {
		return err
	}
	s.warnings.take()
	s.say("kubectl patch qualification %s --type merge -p '{\"spec\":{\"state\":\"Suspended\"}}'", certificate)
	began := time.Now()
	words := fmt.Sprintf("%d nodes lose %s, %d pods there owe it", len(open), secnumcloud, pods)
	if err := s.warned("the suspension", s.state(ctx, "Suspended"), words); err != nil {
		return err
	}
	err = await(ctx, "no node is open for "+secnumcloud, func(ctx context.Context) error {
		left, err := s.openNodes(ctx, secnumcloud)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%v are", left)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.ok(fmt.Sprintf("%s after the edit, none of the %d nodes is open for %s any more", seconds(time.Since(began)), len(open), secnumcloud))
	return s.holds(ctx, "where pods run that owe it, the nodes keep the held label, so that nobody throws them out", func(ctx context.Context) error {
		held, err := s.nodesWhere(ctx, func(n *corev1.Node) bool { return isHeld(n, secnumcloud) })
		if err == nil && len(held) != len(open) {
			err = fmt.Errorf("%v keep it, of %v", held, open)
		}
		return err
	})
}

// counted checks the policy's status.
func (s *story) counted(ctx context.Context, before []place) error {
	p := &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy}}
	what := fmt.Sprintf("the status of policy %s counts the %d pods that run there, all as violations, and gives the reason:", policy, len(before))
	err := s.holds(ctx, what, func(ctx context.Context) error {
		if err := s.get(ctx, p); err != nil {
			return err
		}
		said := message(p.Status.Conditions, v1alpha1.ConditionCompliant)
		if int(p.Status.Pods) != len(before) || int(p.Status.Violations) != len(before) || !contains(said, []string{certificate, "suspended"}) {
			return fmt.Errorf("%d pods, %d violations, %q", p.Status.Pods, p.Status.Violations, said)
		}
		return has("the policy", p.Status.Conditions, v1alpha1.ConditionCompliant, metav1.ConditionFalse)
	})
	if err == nil {
		s.quote(message(p.Status.Conditions, v1alpha1.ConditionCompliant))
	}
	return err
}

// comes creates a pod for which there is no ground.
func (s *story) comes(ctx context.Context, newcomer *corev1.Pod) error {
	s.warnings.take()
	if err := s.warned("a new pod in "+health, s.Create(ctx, newcomer), secnumcloud, certificate, "suspended"); err != nil {
		return err
	}
	return s.holds(ctx, "it waits: the scheduler finds no node for it", func(ctx context.Context) error {
		if err := s.get(ctx, newcomer); err != nil {
			return err
		}
		return unschedulable(newcomer)
	})
}

// restore gives the certificate back.
func (s *story) restore(ctx context.Context, newcomer *corev1.Pod, before []place) error {
	if err := s.state(ctx, "Granted"); err != nil {
		return fmt.Errorf("restoring the qualification: %w", err)
	}
	began := time.Now()
	s.say("The qualification is restored.")
	var came []place
	err := await(ctx, "the pod that waited runs", func(ctx context.Context) (err error) {
		came, err = s.running(ctx, health, newcomer.Name, 1, secnumcloud)
		return err
	})
	if err != nil {
		return err
	}
	s.ok(fmt.Sprintf("%s later the pod that waited runs, on %s in %s", seconds(time.Since(began)), came[0].node.Name, came[0].zone()))
	return s.holds(ctx, fmt.Sprintf("the %d others never moved, and the policy counts no violations", len(before)), func(ctx context.Context) error {
		running, err := s.compliant(ctx)
		if err == nil && len(running) != len(before)+1 {
			err = fmt.Errorf("%s run", count(len(running), "pod"))
		}
		return errors.Join(err, s.stays(ctx, before))
	})
}
