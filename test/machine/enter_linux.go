package machine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Enter runs a program on the machine of a directory and gives its exit code. Signals are passed on, and the program dies with its caller.
func Enter(dir, program string, args ...string) (code int, err error) {
	m, err := Read(dir)
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread() // and never unlock: it is this thread that moves, and the program's life hangs on it
	if err := m.move(); err != nil {
		return 0, err
	}
	command := exec.Command("/proc/self/exe", append([]string{"become", program}, args...)...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("starting %s on the machine: %w", program, err)
	}
	go func() {
		for s := range signals {
			_ = command.Process.Signal(s) // it may have ended by itself meanwhile
		}
	}()
	var exit *exec.ExitError
	if err := command.Wait(); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, nil
}

// Become turns this process, on the machine, into the program, after it has asked the kernel to end it when its parent is gone. Go cannot
// ask that for a child in another process namespace: there the child does not know its parent, and takes it for dead.
func Become(program string, args ...string) error {
	path, err := lookPath(program)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the kernel notes it for one thread
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("asking to end with the parent: %w", err)
	}
	if os.Getppid() != 0 { // one outside of the machine has no number here
		return errors.New("whoever wanted the program is gone")
	}
	if err := syscall.Exec(path, append([]string{program}, args...), os.Environ()); err != nil {
		return fmt.Errorf("starting %s on the machine: %w", program, err)
	}
	return nil
}

// move takes this thread to the machine. Mounts come last: after that the machine's /proc is the one we see.
func (m Machine) move() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // threads share their root, and only one of them moves
		return fmt.Errorf("parting from the other threads: %w", err)
	}
	for _, namespace := range []struct {
		name string
		flag int
	}{{"pid", unix.CLONE_NEWPID}, {"net", unix.CLONE_NEWNET}, {"ipc", unix.CLONE_NEWIPC}, {"mnt", unix.CLONE_NEWNS}} {
		if err := joinNamespace(m.Init, namespace.name, namespace.flag); err != nil {
			return err
		}
	}
	return nil
}

// joinNamespace takes the calling thread into a namespace of a process. One that is ours already belongs to no machine: its process id
// is somebody else's by now, and what was meant for the machine must not happen here.
func joinNamespace(pid int, name string, flag int) error {
	path := fmt.Sprintf("/proc/%d/ns/%s", pid, name)
	theirs, err := os.Readlink(path)
	if err != nil {
		return fmt.Errorf("looking for the machine's namespaces: %w", err)
	}
	if ours, err := os.Readlink("/proc/thread-self/ns/" + name); err != nil || ours == theirs {
		return errors.Join(err, fmt.Errorf("process %d is not the first one of a machine: the machine is gone", pid))
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the machine's namespace: %w", err)
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), flag); err != nil {
		return fmt.Errorf("entering the machine's namespace %s: %w", name, err)
	}
	return nil
}

// lookPath finds programs that are root's alone also where PATH does not name their folders.
func lookPath(program string) (string, error) {
	for _, folder := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if found, err := exec.LookPath(filepath.Join(folder, program)); err == nil && !filepath.IsAbs(program) {
			return found, nil
		}
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("looking for a program: %w", err)
	}
	return found, nil
}
