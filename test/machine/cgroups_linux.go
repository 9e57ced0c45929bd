package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// removeCgroups removes the empty control groups under a name, in the hierarchy of cgroup v2 and in every one of v1. The kernel lets
// nobody remove one that has processes.
func removeCgroups(name string) error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*" + name)
	if err != nil {
		return fmt.Errorf("looking for control groups: %w", err)
	}
	var errs []error
	for _, root := range append(roots, "/sys/fs/cgroup"+name) {
		errs = append(errs, removeDirectories(root))
	}
	return errors.Join(errs...)
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
