// Package noderestriction tells whether an API server runs the admission plugin NodeRestriction, without which kubelets may write
// any label of their node.
//
// No API says so. But an API server counts, in its metrics, how long each of its admission plugins took. NodeRestriction is asked about every
// create, update and delete, so it is in that list as soon as there is one, and there is none where it does not run. One API server
// of several answers; it speaks for itself.
package noderestriction

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// State says whether the plugin runs.
type State int

const (
	// Unknown says that the metrics do not tell. The zero value.
	Unknown State = iota
	// Off says that other plugins are counted, and this one is not.
	Off
	// On says that it is counted.
	On
)

const (
	// family is the metric in which admission plugins are counted. It is a stable one.
	family = "apiserver_admission_controller_admission_duration_seconds"
	plugin = `name="NodeRestriction"`
	// most is how much is read at most. Metrics are sorted by name, and this one is among the first.
	most = 64 << 20
)

// Read looks for the plugin in metrics in Prometheus' text format, and stops reading where it can no longer come.
func Read(metrics io.Reader) (State, error) {
	lines := bufio.NewScanner(io.LimitReader(metrics, most))
	found := Unknown
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, family+"_count{") && strings.Contains(line, plugin):
			return On, nil
		case strings.HasPrefix(line, family+"_count{"):
			found = Off
		case found == Off && !strings.Contains(line, family):
			return found, nil
		}
	}
	if err := lines.Err(); err != nil {
		return Unknown, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	return found, nil
}
