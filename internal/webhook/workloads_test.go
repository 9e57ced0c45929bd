package webhook

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	deployment  = `{metadata: {name: web, namespace: hr}, spec: {replicas: 3, template: {metadata: {}, spec: {containers: [{name: c, image: i}]}}}}`
	daemonSet   = `{metadata: {name: agent, namespace: hr}, spec: {template: {metadata: {}, spec: {containers: [{name: c, image: i}]}}}}`
	pinned      = `{metadata: {name: web, namespace: hr}, spec: {replicas: 3, template: {metadata: {}, spec: {nodeName: n-lon-1a}}}}`
	pinnedTwice = `{metadata: {name: web, namespace: hr}, spec: {replicas: 2, template: {metadata: {}, spec: {nodeName: n-lon-1a}}}}`
	annotated1  = `{metadata: {name: web, annotations: {terroir.dev/trust-level: in-france}}, spec: {template: {spec: {}}}}`
	annotated2  = `{metadata: {name: web, annotations: {terroir.dev/trust-level: in-france}}, spec: {template: {metadata: {annotations: {inherited.terroir.dev/trust-level: in-france}}, spec: {}}}}`
	stripped    = `{metadata: {name: web}, spec: {template: {metadata: {annotations: {inherited.terroir.dev/trust-level: in-france}}, spec: {}}}}`
)

// claiming is a StatefulSet whose claims are of a class.
func claiming(class string) string {
	return `{metadata: {name: db, namespace: sealed}, spec: {replicas: 3, template: {metadata: {}, spec: {containers: [{name: c, image: i}]}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: ` + class + `}}]}}`
}

func workloadRequest(t testing.TB, kind, object string) *admissionv1.AdmissionRequest {
	t.Helper()
	group := "apps"
	if kind == "Job" || kind == "CronJob" {
		group = "batch"
	}
	return requestOf(t, metav1.GroupVersionResource{Group: group, Version: "v1", Resource: strings.ToLower(kind) + "s"}, kind, admissionv1.Create, object)
}

type workloadCase struct {
	sentence  string
	namespace string
	kind      string
	was, is   string // was is empty at creation
	tweak     func(*world)
}

func (c workloadCase) request(t testing.TB) *admissionv1.AdmissionRequest {
	t.Helper()
	r := workloadRequest(t, c.kind, c.is)
	r.Namespace = c.namespace
	if c.was != "" {
		r.Operation = admissionv1.Update
		r.OldObject = runtime.RawExtension{Raw: rawOf(t, c.was)}
	}
	return r
}

func workloadCases() []workloadCase {
	unready := func(w *world) { w.empty = true }
	return []workloadCase{
		{"a governed Deployment that fits", "hr", "Deployment", "", deployment, func(w *world) { w.ClusterPolicies[0].Spec.Spread.MinSites = 2 }},
		{"a free Deployment", "free", "Deployment", "", deployment, nil},
		{"a Deployment without replicas has one", "hr", "Deployment", "", `{metadata: {name: web}, spec: {template: {spec: {}}}}`, nil},
		{"too few replicas are refused", "strict", "StatefulSet", "", `{metadata: {name: web}, spec: {replicas: 2, template: {spec: {}}}}`, nil},
		{"scaled to zero, nothing is asked", "strict", "StatefulSet", "", `{metadata: {name: web}, spec: {replicas: 0, template: {spec: {}}}}`, nil},
		{"more sites than qualify", "strict", "Deployment", "", deployment, nil},
		{"the template names a node", "hr", "Deployment", "", pinned, nil},
		{"the template has a scheduler of its own", "hr", "CronJob", "", `{metadata: {name: nightly}, spec: {jobTemplate: {spec: {template: {spec: {schedulerName: mine}}}}}}`, nil},
		{"no qualified node fits the template", "hr", "Deployment", "", `{metadata: {name: web}, spec: {replicas: 3, template: {spec: {nodeSelector: {disk: tape}}}}}`, nil},
		{"too few qualified sites fit the template", "hr", "Deployment", "", `{metadata: {name: web}, spec: {replicas: 3, template: {spec: {nodeSelector: {disk: ssd}}}}}`, nil},
		{"no zone satisfies the level", "german", "Deployment", "", deployment, nil},
		{"the zones that satisfy the level have no nodes", "hr", "Deployment", "", deployment, func(w *world) { w.Machines = w.Machines[3:] }},
		{"the level does not exist", "typo", "Deployment", "", deployment, nil},
		{"a DaemonSet gets its nodeSelector", "hr", "DaemonSet", "", daemonSet, nil},
		{"a DaemonSet loses a nodeSelector that is not owed", "free", "DaemonSet", daemonSet, `{metadata: {name: agent}, spec: {template: {spec: {nodeSelector: {held.terroir.node-restriction.kubernetes.io/secnumcloud: "true"}}}}}`, nil},
		{"annotations are mirrored", "free", "Deployment", "", annotated1, nil},
		{"a mirror that is there is left", "free", "Deployment", "", annotated2, nil},
		{"a mirror goes with its source", "free", "Deployment", annotated2, stripped, nil},
		{"a mirror without a source is a demand of its own", "free", "Deployment", "", stripped, nil},
		{"an old mirror does not count against a new level", "free", "Deployment", annotated2, strings.Replace(annotated2, "terroir.dev/trust-level: in-france}}, spec: {template", "terroir.dev/trust-level: in-germany}}, spec: {template", 1), nil},
		{"a misspelt annotation on the workload", "free", "Job", "", `{metadata: {name: once, annotations: {terroir.dev/min-site: "2"}}, spec: {template: {spec: {}}}}`, nil},
		{"a misspelt annotation on the template", "free", "CronJob", "", `{metadata: {name: nightly}, spec: {jobTemplate: {spec: {template: {metadata: {annotations: {terroir.dev/trust-levels: x}}, spec: {}}}}}}`, nil},
		{"a finalizer comes off a workload that is older than its policy", "hr", "Deployment", strings.Replace(pinned, "name: web,", "name: web, finalizers: [x],", 1), pinned, nil},
		{"a finalizer comes off while Terroir starts", "hr", "Deployment", strings.Replace(pinned, "name: web,", "name: web, finalizers: [x],", 1), pinned, unready},
		{"a workload that is older than its policy is scaled down", "hr", "Deployment", pinned, pinnedTwice, nil},
		{"a workload is scaled below its sites", "strict", "Deployment", deployment, strings.Replace(deployment, "replicas: 3", "replicas: 2", 1), nil},
		{"an update makes the template wrong", "hr", "Deployment", deployment, pinned, nil},
		{"a StatefulSet whose claims are encrypted", "sealed", "StatefulSet", "", claiming("sealed"), nil},
		{"a StatefulSet whose claims never can be", "sealed", "StatefulSet", "", claiming("plain"), nil},
		{"a StatefulSet whose volumes are made at once", "sealed", "StatefulSet", "", claiming("fast"), nil},
		{"a StatefulSet whose claims are under no known key", "sealed", "StatefulSet", "", claiming("unmeant"), nil},
		{"an older StatefulSet whose claims never can be is updated", "sealed", "StatefulSet", claiming("plain"), strings.Replace(claiming("plain"), "image: i", "image: j", 1), nil},
		{"an older StatefulSet whose claims never can be is scaled", "sealed", "StatefulSet", claiming("plain"), strings.Replace(claiming("plain"), "replicas: 3", "replicas: 2", 1), nil},
		{"a Deployment whose own claims never can be encrypted", "sealed", "Deployment", "", `{metadata: {name: web}, spec: {replicas: 3, template: {spec: {volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}}}}`, nil},
		{"a workload that asks for a key, and whose class is under another", "open", "StatefulSet", "", strings.Replace(claiming("sealed"), "name: db,", "name: db, annotations: {terroir.dev/encryption-key: other-kek},", 1), nil},
		{"a workload that asks for a key that nearly exists", "open", "Deployment", "", `{metadata: {name: web, annotations: {terroir.dev/encryption-key: other-kk}}, spec: {template: {spec: {}}}}`, nil},
		{"a template with a volume of the network, where encryption is owed", "sealed", "Deployment", "", `{metadata: {name: web}, spec: {replicas: 3, template: {spec: {volumes: [{name: share, nfs: {server: s, path: /}}]}}}}`, nil},
		{"a workload that is being deleted", "hr", "Deployment", deployment, strings.Replace(pinned, "name: web,", "name: web, deletionTimestamp: \"2026-06-01T00:00:00Z\",", 1), nil},
		{"a policy that warns", "watched", "Deployment", "", deployment, nil},
		{"a policy that warns would refuse", "watched", "Deployment", "", pinned, nil},
		{"a policy that warns changes nothing of a DaemonSet", "watched", "DaemonSet", "", daemonSet, nil},
		{"an exempt namespace", "kube-system", "DaemonSet", "", daemonSet, nil},
		{"there is no snapshot yet", "hr", "Deployment", "", deployment, unready},
		{"a ReplicaSet is never touched", "hr", "ReplicaSet", "", deployment, nil},
		{"no template", "hr", "Deployment", "", `{metadata: {name: web}, spec: {}}`, nil},
		{"an object that is none", "hr", "Deployment", "", `{metadata: {name: web}, spec: {template: {spec: {nodeSelector: [1]}}}}`, nil},
	}
}

func TestWorkloads(t *testing.T) {
	var n notes
	for _, c := range workloadCases() {
		w := newWorld(t)
		if c.tweak != nil {
			c.tweak(w)
			if !w.empty {
				w.publish()
			}
		}
		n.add(c.sentence, told(ask(t, w.mux(t), WorkloadsPath, c.request(t))))
	}
	n.compare(t, "workloads")
}
