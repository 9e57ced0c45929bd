package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Init is the machine's first process. It returns when containerd has ended, and the machine ends with it.
func Init(dir string, number int) error {
	m := &Machine{Number: number}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil { // until there is a network
		return fmt.Errorf("waiting for the network: %w", err)
	}
	if err := m.connectInside(); err != nil {
		return err
	}
	if err := mount(dir); err != nil {
		return err
	}
	if err := m.configure(); err != nil {
		return err
	}
	return runContainerd()
}

// mount gives the machine its own /proc, /run, /var/lib and /var/log. Nothing of that is seen outside.
func mount(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts our own: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := pretend(filepath.Join(dir, run)); err != nil {
		return err
	}
	for _, folder := range []struct{ from, to string }{{run, "/run"}, {logs, "/var/log"}, {lib, "/var/lib"}} { // lib last: dir may be in there
		if err := unix.Mount(filepath.Join(dir, folder.from), folder.to, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting the machine's %s: %w", folder.to, err)
		}
	}
	return nil
}

// tunables are what a kubelet sets in the kernel, which is not the machine's alone.
var tunables = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0",
	"kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// pretend shows the kubelet the values it wants, so that it changes nothing in the kernel it shares with others.
func pretend(dir string) error {
	for name, value := range tunables {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			return fmt.Errorf("writing down a kernel parameter: %w", err)
		}
		if err := unix.Mount(file, "/proc/sys/"+name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering kernel parameter %s: %w", name, err)
		}
	}
	return nil
}

// configure writes what containerd reads.
func (m *Machine) configure() error {
	err := os.MkdirAll(networks, 0o755)
	for path, content := range map[string]string{
		containerdConfig: containerd,
		filepath.Join(networks, "10-machine.conflist"): fmt.Sprintf(network, m.pods()),
	} {
		err = errors.Join(err, os.WriteFile(path, []byte(content), 0o600))
	}
	if err != nil {
		return fmt.Errorf("configuring containerd: %w", err)
	}
	return nil
}

const (
	containerdConfig = Inside + "/containerd.toml"
	networks         = Inside + "/networks"
)

// containerd's own paths are the default ones, which are the machine's. restrict_oom_score_adj: a machine whose root may not lower
// that score could start no pod otherwise.
const containerd = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + PauseImage + `"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "` + networks + `"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

const network = `{
  "cniVersion": "0.4.0", "name": "machine",
  "plugins": [{"type": "bridge", "bridge": "pods", "isGateway": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}}]
}
`

// runContainerd runs it, and reaps whatever else is left to the first process: shims, and the processes of containers.
func runContainerd() error {
	path, err := lookPath("containerd")
	if err != nil {
		return err
	}
	process, err := os.StartProcess(path, []string{"containerd", "--config", containerdConfig}, &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		return fmt.Errorf("starting containerd: %w", err)
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return fmt.Errorf("waiting for processes: %w", err)
		case pid == process.Pid:
			return fmt.Errorf("containerd ended with %d", status.ExitStatus())
		}
	}
}
