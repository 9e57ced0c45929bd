package machine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Machine is a running machine.
type Machine struct {
	// Number is its own among the machines that run at the same time. Names and addresses follow from it.
	Number int `json:"number"`
	// Init is the process id of its first process, as seen from outside.
	Init int `json:"init"`
}

// Address is where the machine is reached from outside.
func (m Machine) Address() string { return fmt.Sprintf("198.18.%d.2", m.Number) }

// APIServer is where the machine and its pods reach the API server: at the address of Service kubernetes, as kube-proxy would have it.
const APIServer = "10.96.0.1"

// The range 198.18.0.0/15 is set aside for trying out networks (RFC 2544): nothing of anybody's is there.
func (m Machine) outside() string { return fmt.Sprintf("198.18.%d.1", m.Number) }
func (m Machine) pods() string    { return fmt.Sprintf("198.19.%d.0/24", m.Number) }

// Folders of a machine's directory, and where the machine has them. Config is for whoever sets up programs on it.
const (
	run    = "run"
	lib    = "lib"
	logs   = "log"
	Config = "lib/terroir"
	Inside = "/var/lib/terroir"
)

func recordPath(dir string) string { return filepath.Join(dir, "machine.json") }

// Read tells which machine runs in a directory, or last ran.
func Read(dir string) (Machine, error) {
	var m Machine
	data, err := os.ReadFile(recordPath(dir))
	if err != nil {
		return m, fmt.Errorf("looking for a machine: %w", err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("reading %s: %w", recordPath(dir), err)
	}
	return m, nil
}

func (m Machine) write(dir string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the machine: %w", err)
	}
	if err := os.WriteFile(recordPath(dir), data, 0o600); err != nil {
		return fmt.Errorf("writing down the machine: %w", err)
	}
	return nil
}

// Cgroup is the control group of the machine's pods.
func (m Machine) Cgroup() string { return fmt.Sprintf("/terroir%d", m.Number) }

// PauseImage is what containerd starts every pod with. There is no registry: it has to be there before the first pod.
const PauseImage = "localhost/pause:local"

// Link is our end of the machine's network.
func (m Machine) Link() string { return fmt.Sprintf("terroir%d", m.Number) }
