package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

func probeSite(ctx context.Context, audit string) (*site, error) {
	log, flags, err := newAuditLog(audit)
	if err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, cluster.Options{APIServerFlags: append(flags, "--profiling=true"), Progress: os.Stderr})
	if err != nil {
		return nil, err
	}
	made, err := terroir.Client(c)
	return &site{Cluster: c, client: made, writes: log}, err
}

func TestProbe(t *testing.T) {
	ctx := t.Context()
	l := &lab{dir: t.TempDir()}
	undo := http1ForWebhooks()
	var err error
	if l.terroir, err = probeSite(ctx, filepath.Join(l.dir, "terroir")); err != nil {
		t.Fatal(err)
	}
	l.bare = l.terroir
	undo()
	defer l.terroir.Stop()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(l.terroir.createNamespace(ctx, free, nil))
	must(l.terroir.createNamespace(ctx, nothing, nil))
	measure := func(what string, of ...subjectOf) {
		taken, err := l.inTurn(ctx, 8*time.Second, of...)
		must(err)
		for _, o := range of {
			fmt.Printf("%-40s %-50s p50 %s p99 %s n %d\n", what, o.name, short(taken[o.name].p50()), short(taken[o.name].p99()), len(taken[o.name]))
		}
	}
	fre := subjectOf{toFree, l.terroir, free, pod()}
	measure("before", fre)
	must(l.installTerroir(ctx))
	must(l.create2(ctx))
	shaped, err := l.shaped(ctx, pod())
	must(err)
	lack := subjectOf{toShaped, l.terroir, governed, pod()}
	comp := subjectOf{toComplying, l.terroir, governed, shaped}
	mapp := subjectOf{toMutated, l.terroir, mutating, pod()}
	profile := func(name string, of subjectOf) {
		clientset, err := kubernetes.NewForConfig(l.terroir.Config())
		must(err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			raw, err := clientset.RESTClient().Get().AbsPath("/debug/pprof/profile").Param("seconds", "10").DoRaw(ctx)
			fmt.Println(len(raw), err)
			os.WriteFile("/tmp/bench-api-"+name+".prof", raw, 0o600)
		}()
		c, err := of.site.creationOf(of.namespace, of.pod)
		must(err)
		n := 0
		for {
			select {
			case <-done:
				fmt.Println(name, n, "requests in the profile")
				return
			default:
				_, err := c.must(ctx)
				must(err)
				n++
			}
		}
	}
	measure("full", fre, lack, comp, mapp)
	must(l.terroir.StopComponent(terroir.Component))
	measure("operator stopped", fre, lack, comp, mapp)
	k := func(args ...string) {
		out, err := terroir.Kubectl(ctx, l.terroir.Cluster, args...)
		if err != nil {
			t.Fatal(out, err)
		}
		time.Sleep(2 * time.Second)
	}
	profile("complies-full", comp)
	k("delete", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "terroir")
	measure("no webhook configurations", fre, lack, comp, mapp)
	profile("shaped", lack)
	profile("complies", comp)
	profile("free", fre)
	k("delete", "mutatingadmissionpolicybinding", "terroir-annotated-pods")
	measure("- MAP annotated-pods", fre, comp)
	k("delete", "validatingadmissionpolicybinding", "terroir-annotated-pods")
	measure("- VAP annotated-pods", fre, comp)
	k("delete", "mutatingadmissionpolicybinding", "terroir-pods")
	measure("- MAP terroir-pods", fre, comp)
	out, _ := terroir.Kubectl(ctx, l.terroir.Cluster, "get", "validatingadmissionpolicybinding,mutatingadmissionpolicybinding")
	fmt.Println(out)
	k("delete", "validatingadmissionpolicybinding", "terroir-pods")
	measure("- VAP terroir-pods", fre, comp)
}

func (l *lab) create2(ctx context.Context) error {
	raw, err := objects.ReadFile("objects/alternatives.yaml")
	if err != nil {
		return err
	}
	os.WriteFile(filepath.Join(l.dir, "alt.yaml"), raw, 0o600)
	_, err = terroir.Kubectl(ctx, l.terroir.Cluster, "apply", "-f", filepath.Join(l.dir, "alt.yaml"))
	if err != nil {
		return err
	}
	return l.seeMutating(ctx)
}
