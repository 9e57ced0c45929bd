package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lifelineVariable tells a component at which file descriptor it finds its lifeline; test/localcluster reads it.
const lifelineVariable = "TERROIR_LIFELINE_FD"

// A lifeline is a FIFO in the state directory. The owner of the cluster holds its write end, every component a read
// end. The kernel closes the owner's end however the owner goes, and each component exits at the end of file. A FIFO
// and not a pipe, because also a process that attached to the cluster may start a component anew, and that one must
// live as long as the owner, not as long as its starter.
func lifelinePath(dir string) string { return filepath.Join(dir, "lifeline") }

// holdLifeline makes the FIFO and opens it for both directions: an end opened for writing only would block until the
// first component reads.
func holdLifeline(dir string) (*os.File, error) {
	path := lifelinePath(dir)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("removing an old lifeline: %w", err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("making the lifeline %s: %w", path, err)
	}
	held, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("holding the lifeline: %w", err)
	}
	return held, nil
}

// grabLifeline opens an end for a component. Without blocking, so that it works (and ends the component at once) also
// when the owner is gone.
func grabLifeline(dir string) (*os.File, error) {
	end, err := os.OpenFile(lifelinePath(dir), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the lifeline: %w", err)
	}
	return end, nil
}
