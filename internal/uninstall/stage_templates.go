package uninstall

import "strings"

// Law: what Terroir wrote into templates goes: mirrored annotations everywhere, and in DaemonSets the nodeSelector entries that ask for levels.
//
// Reads the templates of Deployments, StatefulSets, DaemonSets and CronJobs. A workload whose template changes replaces its pods, by its own
// strategy. In a DaemonSet an entry goes whoever wrote it: once the labels are gone it would be a DaemonSet for no node at
// all. Ignores other entries, which Terroir never wrote; the annotations that developers wrote, which mean nothing without Terroir; Jobs, whose templates are fixed; and
// ReplicaSets and ControllerRevisions, which are their workloads' memory.
func stripTemplates(w World, _ Options, t *Todo) {
	for _, x := range w.workloads {
		template := map[string]any{}
		var what []string
		if len(x.mirrors) > 0 {
			template["metadata"] = map[string]any{"annotations": nulls(x.mirrors)}
			what = append(what, "mirrored annotations")
		}
		if x.stripsSelector() {
			template["spec"] = map[string]any{"nodeSelector": nulls(x.held)}
			what = append(what, "nodeSelector entries for trust levels")
		}
		if len(what) > 0 {
			t.change(x.Object, x.inTemplate(template), "remove "+strings.Join(what, " and ")+" from the template of "+x.String())
		}
	}
}

func (x workload) stripsSelector() bool { return x.Kind == "DaemonSet" && len(x.held) > 0 }

// inTemplate is the patch of the workload that patches its template.
func (x workload) inTemplate(patch map[string]any) map[string]any {
	spec := map[string]any{"template": patch}
	if x.Kind == "CronJob" {
		spec = map[string]any{"jobTemplate": map[string]any{"spec": spec}}
	}
	return map[string]any{"spec": spec}
}

// nulls is the merge patch that removes keys.
func nulls(keys []string) map[string]any {
	patch := map[string]any{}
	for _, key := range keys {
		patch[key] = nil
	}
	return patch
}
