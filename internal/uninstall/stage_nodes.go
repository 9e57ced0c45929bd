package uninstall

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Law: a node loses a label of Terroir when nobody asks for it any more.
//
// Reads what unfinished pods ask of their nodes. A pod that runs may ask its node for a label by nodeSelector and required affinity: an honest
// kubelet fails it after a restart if the label is gone. A pod that waits asks every node, also by spread constraints. So
// does a template by its own word. Workloads that are replacing their pods are waited for; others are restarted if that was wanted, or named.
// Removes every other label under Terroir's keys.
func removeNodeLabels(w World, o Options, t *Todo) {
	needed := neededOf(w)
	for _, n := range w.nodes {
		free := except(n.labels, func(key string) bool { return needed.on(n.Name, key) })
		if len(free) > 0 {
			t.change(n.Object, map[string]any{"metadata": map[string]any{"labels": nulls(free)}},
				"remove "+strings.Join(free, ", ")+" from "+n.String())
		}
	}
	for _, d := range demandsOf(w) {
		t.settle(d, o, w.now)
	}
}

// need is which labels are needed, on one node or, under the empty name, on all.
type need map[string]map[string]bool

func (n need) on(node, key string) bool { return n[node][key] || n[""][key] }

func (n need) add(node string, keys []string) {
	if n[node] == nil {
		n[node] = map[string]bool{}
	}
	for _, key := range keys {
		n[node][key] = true
	}
}

func neededOf(w World) need {
	n := need{}
	for _, p := range w.pods {
		n.add(p.node, p.asks)
	}
	for _, x := range w.workloads {
		n.add("", x.asks)
	}
	return n
}

// demand is what keeps labels: a workload and its pods, or a pod that nobody would make again.
type demand struct {
	of       Object
	workload *workload // nil: not one that is known
	pods     int
	asks     map[string]bool
}

// demandsOf collects who asks, in the order of their names.
func demandsOf(w World) []demand {
	found := map[string]*demand{}
	of := func(o Object) *demand {
		if found[o.String()] == nil {
			found[o.String()] = &demand{of: o, workload: w.workload(o), asks: map[string]bool{}}
		}
		return found[o.String()]
	}
	for _, p := range w.pods {
		maker := p.maker
		if maker.Kind == "" || p.going {
			maker = p.Object
		}
		d := of(maker)
		d.pods++
		d.add(p.asks)
	}
	for _, x := range w.workloads {
		if len(x.asks) > 0 {
			of(x.Object).add(x.asks)
		}
	}
	var all []demand
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[name])
	}
	return all
}

func (d *demand) add(keys []string) {
	for _, key := range keys {
		d.asks[key] = true
	}
}

// workload finds a workload; nil if it is none of a kind that is known.
func (w World) workload(o Object) *workload {
	i := slices.IndexFunc(w.workloads, func(x workload) bool { return x.same(o) })
	if i < 0 {
		return nil
	}
	return &w.workloads[i]
}

// settle says how a demand will end.
func (t *Todo) settle(d demand, o Options, now time.Time) {
	x := d.workload
	asks := strings.Join(slices.Sorted(maps.Keys(d.asks)), ", ")
	switch {
	case d.of.Kind == "Pod" && d.of.going:
		t.wait("%s to end", d.of)
	case d.of.Kind == "Pod":
		t.leave("%s asks its node for %s, and nobody would make it again; let it finish, or delete it", d.of, asks)
	case x == nil:
		t.leave("%s has %s for %s; let them finish, or replace them", d.of, asking(d.pods), asks)
	case x.stripsSelector():
		t.wait("the template of %s to be changed", d.of)
	case len(x.asks) > 0:
		t.leave("the template of %s itself asks nodes for %s; nobody will set that any more; remove it from the template", d.of, asks)
	case x.idle != "":
		t.leave("%s has %s for %s, and does not replace them by itself, since %s; delete them", d.of, asking(d.pods), asks, x.idle)
	case x.rolling, len(x.mirrors) > 0 && x.Kind != "CronJob":
		t.wait("%s to replace %s for %s", d.of, asking(d.pods), asks)
	case o.RestartWorkloads:
		t.restart(*x, now)
	default:
		t.leave("%s has %s for %s; restart it, or have it restarted by --restart-workloads", d.of, asking(d.pods), asks)
	}
}

// asking is so many pods that ask for something.
func asking(pods int) string {
	if pods == 1 {
		return "1 pod that asks"
	}
	return fmt.Sprintf("%d pods that ask", pods)
}

// restartedAt is the annotation by which `kubectl rollout restart` restarts.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// restart changes a template so that the workload replaces its pods, by its own strategy. It is then rolling, and not restarted again.
func (t *Todo) restart(x workload, now time.Time) {
	template := map[string]any{"metadata": map[string]any{"annotations": map[string]any{restartedAt: now.Format(time.RFC3339)}}}
	t.change(x.Object, x.inTemplate(template), "restart "+x.String()+", so that its pods no longer ask for labels of Terroir")
	t.wait("%s to replace its pods", x)
}
