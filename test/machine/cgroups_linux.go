package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// makeCgroups makes the control group of the machine's pods in every hierarchy: the kubelet wants to find it.
func makeCgroups(name string) error {
	roots, err := hierarchies()
	for _, root := range roots {
		err = errors.Join(err, os.MkdirAll(root+name, 0o755))
	}
	return err
}

// hierarchies are where control groups are mounted: one of version 2, or several of version 1 and perhaps the other beside them.
func hierarchies() ([]string, error) {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return []string{"/sys/fs/cgroup"}, nil
	}
	found, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	if err == nil && len(found) == 0 {
		err = errors.New("no control groups are mounted in /sys/fs/cgroup")
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
