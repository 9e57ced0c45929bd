package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unified is where control groups of version 2 are mounted, if they are all there is.
const unified = "/sys/fs/cgroup"

// makeCgroups makes the control group of the machine's pods in every hierarchy: the kubelet wants to find it.
func makeCgroups(name string) error {
	roots, err := hierarchies()
	for _, root := range roots {
		err = errors.Join(err, os.MkdirAll(root+name, 0o755))
	}
	return errors.Join(err, delegate())
}

// delegate lets groups below the root of version 2 have the controllers that a kubelet uses. In version 1 all have them.
func delegate() error {
	available, err := os.ReadFile(unified + "/cgroup.controllers")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for control group controllers: %w", err)
	}
	for _, controller := range strings.Fields(string(available)) {
		if !slices.Contains([]string{"cpu", "cpuset", "hugetlb", "memory", "pids"}, controller) {
			continue
		}
		if err := os.WriteFile(unified+"/cgroup.subtree_control", []byte("+"+controller), 0o600); err != nil {
			return fmt.Errorf("handing controller %s down from the root of the control groups (in a container, its processes have to be moved to a group of their own first): %w", controller, err)
		}
	}
	return nil
}

// hierarchies are where control groups are mounted: one of version 2, or several of version 1 and perhaps the other beside them.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(unified + "/cgroup.controllers"); err == nil {
		return []string{unified}, nil
	}
	found, err := filepath.Glob(unified + "/*/cgroup.procs")
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	if err == nil && len(found) == 0 {
		err = errors.New("no control groups are mounted in " + unified)
	}
	return found, err
}

// removeCgroups removes the control group and the empty ones below. The kernel lets nobody remove one that has processes.
func removeCgroups(name string) error {
	roots, err := hierarchies()
	for _, root := range roots {
		err = errors.Join(err, removeDirectories(root+name))
	}
	return err
}

// removeDirectories removes from the inside out. The files of a control group are no files: they go with it.
func removeDirectories(root string) error {
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			found = append(found, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for _, path := range slices.Backward(found) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
