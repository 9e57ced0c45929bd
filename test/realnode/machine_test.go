package realnode

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/machine"
)

func TestAMachineGoesWithItsKeeper(t *testing.T) {
	w := shared
	dir := t.TempDir()
	keeper, m := w.keep(t, dir)
	node, err := machine.Read(w.node.dir)
	if err != nil || node.Number == m.Number {
		t.Errorf("two machines are both number %d (%v)", m.Number, err)
	}
	_ = keeper.Process.Kill()
	_ = keeper.Wait()
	eventually(t, "the processes and the network of the machine are gone", func() error {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", m.Init)); err == nil {
			return fmt.Errorf("process %d is there", m.Init)
		}
		if _, err := net.InterfaceByName(m.Link()); err == nil {
			return fmt.Errorf("%s is there", m.Link())
		}
		return nil
	})

	// The next one of that number finds the control groups, which the kernel leaves, and takes them away when it ends in peace.
	keeper, m = w.keep(t, dir)
	_ = keeper.Process.Signal(syscall.SIGTERM)
	if err := keeper.Wait(); err != nil {
		t.Errorf("asked to end, the keeper gives %v", err)
	}
	left, err := filepath.Glob("/sys/fs/cgroup/*" + m.Cgroup())
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// keep starts a further machine, without a kubelet, and waits until it is ready.
func (w *world) keep(t *testing.T, dir string) (*exec.Cmd, machine.Machine) {
	t.Helper()
	ports, err := cluster.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	ready := fmt.Sprintf("127.0.0.1:%d", ports[0])
	keeper := exec.Command(w.node.program(), "keep", "--dir", dir, "--api-server", "127.0.0.1:1", "--ready", ready)
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keeper.Process.Kill() })
	eventually(t, "the machine is ready", func() error {
		answer, err := http.Get("http://" + ready)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	})
	m, err := machine.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return keeper, m
}
