package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// state is what a state directory remembers about its cluster, enough to attach to it or to stop it.
type state struct {
	Server     string                `json:"server"`
	Binaries   Binaries              `json:"binaries"`
	Detached   bool                  `json:"detached"`
	Temporary  bool                  `json:"temporary"`
	Owner      identity              `json:"owner"`
	Components map[string]*component `json:"components"`
}

// running names one component that runs, or is empty.
func (s *state) running() string {
	for _, name := range order {
		if c := s.Components[name]; c != nil && c.Process.alive() {
			return name
		}
	}
	return ""
}

func statePath(dir string) string { return filepath.Join(dir, "cluster.json") }

// readState returns an empty state where there was never a cluster.
func readState(dir string) (*state, error) {
	data, err := os.ReadFile(statePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return &state{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of the cluster: %w", err)
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading the state of the cluster in %s: %w", statePath(dir), err)
	}
	return &s, nil
}

// write replaces the file in one step, because other processes read it at any time.
func (s *state) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the state of the cluster: %w", err)
	}
	next := statePath(dir) + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("writing the state of the cluster: %w", err)
	}
	if err := os.Rename(next, statePath(dir)); err != nil {
		return fmt.Errorf("writing the state of the cluster: %w", err)
	}
	return nil
}

// MachineDir is the folder of a state directory in which a real node keeps what it has (package test/realnode).
const MachineDir = "machine"

// ours is all that Start puts into a state directory except the logs, which outlive the cluster on purpose. The
// directory itself may hold other people's files.
var ours = []string{"cluster.json", "cluster.json.next", "data", MachineDir, "kubeconfig", "kubeconfigs", "lifeline", "pki", "bin/kubectl", "config"}

func removeOurs(dir string) error {
	for _, name := range ours {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("cleaning up: %w", err)
		}
	}
	_ = os.Remove(filepath.Join(dir, "bin")) // unless somebody else keeps a program there
	return nil
}

var errLocked = errors.New("locked by another process")

// tryLock takes an advisory lock that ends with the process at the latest. The returned function gives it back.
func tryLock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return func() { _ = file.Close() }, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}
