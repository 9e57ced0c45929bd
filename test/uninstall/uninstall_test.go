// Package uninstall tests that Terroir can be taken out of a cluster, on the real control plane and with the command that users run.
package uninstall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/uninstall"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// One story, since a cluster can lose Terroir only once at a time: each part begins where the one before it ended.
func TestTerroirGoes(t *testing.T) {
	w := newWorld(t, cluster.Options{Progress: os.Stderr})
	w.install(t)
	w.govern(t)

	w.tell(t, "whoever lacks a permission is told so, and nothing changes", func(t *testing.T) {
		before := w.everything(t)
		config, err := w.cluster.KubeconfigFor("stranger")
		if err != nil {
			t.Fatal(err)
		}
		code, out, said := w.command(t, "--kubeconfig", config, "uninstall")
		if code != 1 || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, "maintain installations.terroir.dev") {
			t.Errorf("exit code %d, standard output %q, and it said %q", code, out, said)
		}
		w.unchanged(t, before)
	})
	w.tell(t, "a dry run says what would be done, and changes nothing", func(t *testing.T) {
		before := w.everything(t)
		code, out, said := w.command(t, "uninstall", "--dry-run")
		if code != 0 || said != "" || !strings.Contains(out, "remove nodeSelector entries for trust levels from the template of DaemonSet patients/agent") {
			t.Errorf("exit code %d, standard output %q, and it said %q", code, out, said)
		}
		code, out, said = w.command(t, "uninstall", "--dry-run", "--output", "json")
		var plan []uninstall.Todo
		if err := json.Unmarshal([]byte(out), &plan); err != nil || code != 0 || said != "" || len(plan) == 0 {
			t.Errorf("exit code %d, %v, standard output %q, and it said %q", code, err, out, said)
		}
		w.unchanged(t, before)
	})
	w.tell(t, "while an operator runs that nobody here can stop, nothing changes", func(t *testing.T) {
		before := w.everything(t)
		code, _, said := w.command(t, "uninstall")
		if code != 1 || !strings.Contains(said, "an operator runs outside Deployment") {
			t.Errorf("exit code %d, and it said %q", code, said)
		}
		w.unchanged(t, before)
	})
	if err := w.cluster.StopComponent(terroir.Component); err != nil {
		t.Fatal(err)
	}
	free, foreign := w.content(t, "free"), w.foreign(t)
	bare := w.pod(t, "patients", "bare")
	w.tell(t, "everything goes but the labels that running pods ask for", func(t *testing.T) {
		code, out, said := w.command(t, "uninstall")
		for _, line := range []string{"Deployment patients/plain has 2 pods that ask", "Pod patients/bare asks its node", "run the same command again"} {
			if !strings.Contains(said, line) {
				t.Errorf("it should say %q", line)
			}
		}
		if code != 1 || out != "" || t.Failed() {
			t.Errorf("exit code %d, standard output %q, and it said:\n%s", code, out, said)
		}
		t.Log(said)
		if w.pod(t, "patients", "bare").UID != bare.UID {
			t.Error("the bare pod is another one")
		}
		if labels := w.nodeLabels(t); labels[bare.Spec.NodeName] != held || labels["london"] != "" {
			t.Errorf("the nodes carry %v", labels)
		}
		w.running(t, "patients", map[string]int{"plain": 2, "web": 2, "db": 2, "agent": 3, "waiting": 1, "": 1})
		w.running(t, "sealed", map[string]int{"db": 1})
		w.scan(t, "Node", "Pod")
	})
	w.tell(t, "what was restarted asks for nothing", func(t *testing.T) {
		code, _, said := w.command(t, "uninstall", "--restart-workloads")
		if code != 1 || !strings.Contains(said, "Pod patients/bare asks its node") || strings.Contains(said, "left: Deployment") {
			t.Errorf("exit code %d, and it said:\n%s", code, said)
		}
		w.removePods(t)
		if code, _, said = w.command(t, "uninstall"); code != 0 {
			t.Errorf("exit code %d, and it said:\n%s", code, said)
		}
	})
	w.tell(t, "nothing of Terroir is left, and everything else is as it was", func(t *testing.T) {
		w.gone(t)
		if diff := cmp.Diff(free, w.content(t, "free")); diff != "" {
			t.Errorf("the ungoverned namespace changed (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(foreign, w.foreign(t)); diff != "" {
			t.Errorf("somebody else's policy changed (-before +after):\n%s", diff)
		}
	})

	w.reset(t)
	w.install(t)
	w.govern(t)
	if err := w.cluster.StopComponent(terroir.Component); err != nil {
		t.Fatal(err)
	}
	w.tell(t, "a run that dies after each step, and is run again, comes to the same end", func(t *testing.T) {
		w.removePods(t)
		steps := map[string]bool{}
		for w.dies(t, steps) {
		}
		t.Logf("it died after %d different steps", len(steps))
		w.gone(t)
	})
}

func TestTerroirLeavesItsKinds(t *testing.T) {
	w := newWorld(t, cluster.Options{Progress: os.Stderr})
	w.install(t)
	w.govern(t)
	if err := w.cluster.StopComponent(terroir.Component); err != nil {
		t.Fatal(err)
	}
	w.tell(t, "kinds that are kept claim nothing", func(t *testing.T) {
		w.removePods(t)
		code, _, said := w.command(t, "uninstall", "--keep-kinds", "--restart-workloads")
		if code != 0 {
			t.Errorf("exit code %d, and it said:\n%s", code, said)
		}
		w.kept(t)
	})
	w.tell(t, "Terroir takes up what was kept", func(t *testing.T) {
		w.install(t)
		w.policyReady(t, "patients", "sealed")
	})
}

// dies runs the work and lets it die right after a step that no run before it has taken; false when one came to its end.
func (w *world) dies(t *testing.T, steps map[string]bool) bool {
	t.Helper()
	ctx, die := context.WithCancel(t.Context())
	defer die()
	taken := ""
	tell := func(what string) {
		switch {
		case taken != "":
			die() // the step before this one has been taken
		case !steps[what]:
			taken = what
		}
	}
	left, err := uninstall.New(w.Client, uninstall.Options{RestartWorkloads: true}, patience, tell).Run(ctx)
	if taken != "" {
		steps[taken] = true
	}
	if err == nil && len(left) > 0 {
		t.Fatalf("it ended and left %v", left)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return err != nil
}

// command runs the built command as kubectl does, as the administrator or with a kubeconfig of its own.
func (w *world) command(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	if args[0] != "--kubeconfig" {
		args = append([]string{"--kubeconfig", w.cluster.Kubeconfig()}, args...)
	}
	command := exec.CommandContext(t.Context(), w.cluster.Kubectl(), slices.Concat([]string{"terroir"}, args, []string{"--timeout", patience.String()})...)
	command.Env = append(os.Environ(), "PATH="+filepath.Dir(w.binary))
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// gone checks that nothing is left of Terroir, that everything runs, and that new pods come as they were written.
func (w *world) gone(t *testing.T) {
	t.Helper()
	w.scan(t)
	if labels := w.nodeLabels(t); len(labels) > 0 {
		t.Errorf("nodes still carry %v", labels)
	}
	w.running(t, "patients", map[string]int{"plain": 2, "web": 2, "db": 2, "agent": 3})
	w.running(t, "sealed", map[string]int{"db": 1}) // the gate is gone, too
	w.create(t, `{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: patients}, spec: {nodeSelector: {kubernetes.io/hostname: london}, containers: [{name: c, image: x}]}}`)
	w.running(t, "patients", map[string]int{"plain": 2, "web": 2, "db": 2, "agent": 3, "": 1})
	p := w.pod(t, "patients", "new")
	want := map[string]string{"kubernetes.io/hostname": "london"}
	if diff := cmp.Diff(want, p.Spec.NodeSelector); diff != "" || len(p.Spec.TopologySpreadConstraints) > 0 || len(p.Annotations) > 0 {
		t.Errorf("a new pod was shaped: %s, constraints %v, annotations %v", diff, p.Spec.TopologySpreadConstraints, p.Annotations)
	}
	var d appsv1.Deployment
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "patients", Name: "web"}, &d); err != nil || d.Annotations[v1alpha1.TrustLevelAnnotation] != "in-france" {
		t.Errorf("the developers' own annotation is %q (%v)", d.Annotations[v1alpha1.TrustLevelAnnotation], err)
	}
	if len(d.Spec.Template.Annotations) > 1 { // restartedAt
		t.Errorf("the template still carries %v", d.Spec.Template.Annotations)
	}
}

const (
	patience = 60 * time.Second
	held     = v1alpha1.HeldLabelPrefix + "in-france"
)

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kubectl-terroir")
	command := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/kubectl-terroir")
	command.Dir = terroir.Root()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	return binary
}

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // of the client library: what counts here is what the command says
	os.Exit(m.Run())
}

func newWorld(t *testing.T, options cluster.Options) *world {
	t.Helper()
	c := cluster.New(t, options)
	return &world{cluster: c, Client: clientOf(t, c), binary: build(t)}
}
