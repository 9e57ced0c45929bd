package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is the id of a process, of which the kernel tells under /proc.
type process int

// processOf finds the process of a program that was added to a cluster. What the cluster knows is its tether, which has it as a child.
func (s *site) processOf(component string) (process, error) {
	raw, err := os.ReadFile(filepath.Join(s.Dir(), "cluster.json"))
	if err != nil {
		return 0, fmt.Errorf("looking for the process of %s: %w", component, err)
	}
	var state struct {
		Components map[string]struct{ Process struct{ PID int } }
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return 0, fmt.Errorf("looking for the process of %s: %w", component, err)
	}
	return childOf(state.Components[component].Process.PID)
}

func childOf(parent int) (process, error) {
	found, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(found) == 0 {
		return 0, fmt.Errorf("looking for the child of process %d: there is no /proc; the benchmarks of memory and CPU need Linux", parent)
	}
	for _, path := range found {
		fields, err := statOf(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		if fields[1] == strconv.Itoa(parent) {
			id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return process(id), err //nolint:wrapcheck // digits, by the pattern
		}
	}
	return 0, fmt.Errorf("process %d has no child", parent)
}

// statOf gives the fields that follow the program's name, which may itself hold blanks.
func statOf(path string) ([]string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading about a process: %w", err)
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	const needed = 13
	if len(fields) < needed {
		return nil, fmt.Errorf("%s has %d fields", path, len(fields))
	}
	return fields, nil
}

// tick is the unit of CPU times under /proc on every architecture that Kubernetes runs on.
const tick = 10 * time.Millisecond

// cpu is the CPU time that a process has used.
func (p process) cpu() (time.Duration, error) {
	fields, err := statOf(fmt.Sprintf("/proc/%d/stat", p))
	if err != nil {
		return 0, err
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	if errUser != nil || errSystem != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %v", p, fields)
	}
	return time.Duration(user+system) * tick, nil
}

// memory is what a process has of the machine's memory, in bytes, and the most it had.
type memory struct{ resident, peak int64 }

func (p process) memory() (memory, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		return memory{}, fmt.Errorf("reading the memory of process %d: %w", p, err)
	}
	var m memory
	for row := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(row, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64) // other rows are not asked
		switch name {
		case "VmRSS":
			m.resident = kib << 10
		case "VmHWM":
			m.peak = kib << 10
		}
	}
	return m, nil
}
