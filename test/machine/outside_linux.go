package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what machine to keep.
type Options struct {
	Dir       string // what it has
	APIServer string // host and port, as seen from outside
	Ready     string // address at which to answer 200 once the container runtime runs
}

// Keep makes a machine and keeps it until the context is done or the machine ends. It returns when nothing of it is left but its directory.
func Keep(ctx context.Context, options Options) (err error) {
	runtime.LockOSThread() // the machine dies with the thread that started it
	m, err := claim()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.clear()) }()
	if err := furnish(options.Dir); err != nil {
		return err
	}
	child, connected, err := m.boot(options.Dir)
	if err != nil {
		return err
	}
	var how error
	ended := make(chan struct{})
	go func() {
		how = child.Wait()
		close(ended)
	}()
	if err := m.start(ctx, options, connected); err != nil {
		_ = child.Process.Kill()
		<-ended
		return err
	}
	select {
	case <-ended:
		return fmt.Errorf("the machine ended: %w", how)
	case <-ctx.Done():
		_ = child.Process.Kill() // the kernel kills the others first, so nothing runs once it is gone
		<-ended
		return nil
	}
}

// furnish makes the folders. What was in run belonged to processes that are gone.
func furnish(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, run)); err != nil {
		return fmt.Errorf("clearing the machine's directory: %w", err)
	}
	for _, folder := range []string{run, lib, logs, Config} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return fmt.Errorf("making the machine's directory: %w", err)
		}
	}
	return nil
}

// boot starts the machine's first process in namespaces of its own. It goes on when connected is closed.
func (m *Machine) boot(dir string) (child *exec.Cmd, connected io.Closer, err error) {
	child = exec.Command("/proc/self/exe", "init", "--dir", dir, "--number", fmt.Sprint(m.Number))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	connected, err = child.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("preparing the machine: %w", err)
	}
	if err := child.Start(); err != nil {
		return nil, nil, fmt.Errorf("making the machine's namespaces, which takes root: %w", err)
	}
	m.Init = child.Process.Pid
	return child, connected, m.write(dir)
}

// start connects the machine and tells when it is ready.
func (m *Machine) start(ctx context.Context, options Options, connected io.Closer) error {
	if err := m.connect(); err != nil {
		return err
	}
	if err := connected.Close(); err != nil {
		return fmt.Errorf("telling the machine that it has a network: %w", err)
	}
	listener, err := m.listen(ctx)
	if err != nil {
		return err
	}
	go forward(listener, options.APIServer)
	if err := await(ctx, func() bool { return isSocket(filepath.Join(options.Dir, run, "containerd", "containerd.sock")) }); err != nil {
		return fmt.Errorf("waiting for containerd: %w", err)
	}
	ready, err := net.Listen("tcp", options.Ready)
	if err != nil {
		return fmt.Errorf("listening for who asks whether the machine is ready: %w", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(ready) }() // ends with this process
	return nil
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Type() == os.ModeSocket
}

// listen opens a port on the machine's side while we stay on ours: a socket belongs to the network it was made in, whoever uses it.
func (m *Machine) listen(ctx context.Context) (net.Listener, error) {
	var listener net.Listener
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread changes sides, and ends with this goroutine
		if failed = joinNamespace(m.Init, "net", unix.CLONE_NEWNET); failed != nil {
			return
		}
		waiting := await(ctx, func() bool { // until the machine has given itself the address
			listener, failed = net.Listen("tcp", APIServer+":443")
			return failed == nil
		})
		failed = errors.Join(waiting, failed)
	}()
	<-done
	if failed != nil {
		return nil, fmt.Errorf("listening for the API server's clients: %w", failed)
	}
	return listener, nil
}

// forward passes connections on, as kube-proxy does for Service kubernetes.
func forward(listener net.Listener, to string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // the machine is gone
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", to)
			if err != nil {
				return // the API server is down: a client sees its connection end
			}
			go func() {
				_, _ = io.Copy(server, client)
				_ = server.Close()
			}()
			_, _ = io.Copy(client, server)
		}()
	}
}

// await looks for a condition until it holds or the context is done.
func await(ctx context.Context, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}
