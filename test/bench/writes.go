package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// account is whom Terroir acts as.
const account = "system:serviceaccount:" + v1alpha1.SystemNamespace + ":terroir-manager"

// auditPolicy has the API server log each request of Terroir's to write, also one that is refused or changes nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: Metadata, users: ["` + account + `"], verbs: [create, update, patch, delete, deletecollection]}
- {level: None}
`

// auditLog is where an API server writes what Terroir writes.
type auditLog struct{ path string }

// newAuditLog makes a log in a directory, and the API server's flags to keep it.
func newAuditLog(dir string) (auditLog, []string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return auditLog{}, nil, fmt.Errorf("making a directory for the audit log: %w", err)
	}
	policy := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return auditLog{}, nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	log := auditLog{path: filepath.Join(dir, "audit.log")}
	return log, []string{"--audit-policy-file=" + policy, "--audit-log-path=" + log.path}, nil
}

// writes are numbers of requests to write, by resource.
type writes map[string]int

// sum is how many requests there were about anything but leases.
func (w writes) sum() int {
	sum := 0
	for resource, count := range w {
		if resource != "leases" {
			sum += count
		}
	}
	return sum
}

// since is what was written after an earlier count.
func (w writes) since(before writes) writes {
	after := writes{}
	for resource, count := range w {
		if more := count - before[resource]; more > 0 {
			after[resource] = more
		}
	}
	return after
}

// count counts all that Terroir has written so far.
func (l auditLog) count() (writes, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	defer file.Close()
	counted := writes{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			ObjectRef struct{ Resource, Subresource string }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			break // the last line may be under way
		}
		resource := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			resource += "/" + event.ObjectRef.Subresource
		}
		counted[resource]++
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	return counted, nil
}
