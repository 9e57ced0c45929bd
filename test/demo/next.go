package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/terroir-dev/terroir/test/terroir"
)

// suggestion is something to try afterwards.
type suggestion struct {
	why, command string
	// safe commands change nothing: the story tries them itself.
	safe bool
}

func suggestions() []suggestion {
	return []suggestion{
		{"is it fine, and if not, why, and until when", "kubectl get zones,trustlevels,qualifications,clusterplacementpolicies", true},
		{"everything of Terroir", "kubectl get sovereignty", true},
		{"which nodes are open, and on which site", "kubectl get nodes -L open.terroir.node-restriction.kubernetes.io/secnumcloud", true},
		{"why a zone does not satisfy a level", "kubectl describe zone cloud-temple-par7s", true},
		{"what a namespace owes, and to whom", "kubectl -n health get placementfloor floor -o yaml", true},
		{"be refused", "kubectl -n health run straight --image=x --overrides='{\"spec\":{\"nodeName\":\"azure-1\"}}'", false},
		{"take the ground away again", "kubectl patch qualification fictitious-outscale-oks --type merge -p '{\"spec\":{\"state\":\"Withdrawn\"}}'", false},
		{"and give it back", "kubectl patch qualification fictitious-outscale-oks --type merge -p '{\"spec\":{\"state\":\"Granted\"}}'", false},
		{"kill the operator, then ask for three governed pods: still on three sites", "make stop-operator", false},
		{"", "kubectl -n health create deployment late --image=x --replicas=3", false},
		{"", "kubectl -n health get pods -l app=late -o wide", false},
		{"bring it back", "make start-operator", false},
		{"stop all of it", "make down", false},
	}
}

// next checks that the suggestions work that change nothing.
func (s *story) next(ctx context.Context) error {
	for _, try := range suggestions() {
		if !try.safe {
			continue
		}
		if _, err := terroir.Kubectl(ctx, s.cluster, strings.Fields(strings.TrimPrefix(try.command, "kubectl "))...); err != nil {
			return expected("a command that we suggest works", err)
		}
	}
	return nil
}

// Next says how to go on with a cluster on which the story was played. kubeconfig and bin are paths as one would type them.
func Next(kubeconfig, bin string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "The cluster is left running. To look around:\n\n  export KUBECONFIG=%s PATH=%s:$PATH\n", kubeconfig, bin)
	for _, try := range suggestions() {
		if try.why != "" {
			fmt.Fprintf(&text, "\n  # %s\n", try.why)
		}
		fmt.Fprintf(&text, "  %s\n", try.command)
	}
	return text.String()
}
