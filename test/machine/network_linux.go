package machine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// most machines at the same time.
const most = 64

// claim takes the first free number by making the machine's network link: the kernel refuses a second one of that name.
func claim() (*Machine, error) {
	var err error
	for n := range most {
		m := &Machine{Number: n}
		if _, taken := net.InterfaceByName(m.Link()); taken == nil {
			continue
		}
		if err = ip("link", "add", m.Link(), "type", "veth", "peer", "name", m.peer()); err == nil {
			return m, errors.Join(removeCgroups(m.Cgroup()), makeCgroups(m.Cgroup())) // there are old ones of a machine whose keeper was killed
		}
	}
	return nil, errors.Join(err, fmt.Errorf("no machine's number below %d could be taken", most))
}

func (m *Machine) peer() string { return fmt.Sprintf("terroir%dm", m.Number) }

// connect gives the link's other end to the machine, and a way to its pods.
func (m *Machine) connect() error {
	return errors.Join(
		ip("link", "set", m.peer(), "netns", fmt.Sprint(m.Init), "name", "eth0"),
		ip("address", "add", m.outside()+"/30", "dev", m.Link()),
		ip("link", "set", m.Link(), "up"),
		ip("route", "add", m.pods(), "via", m.Address()))
}

// connectInside is the machine's own part. The API server's address is its own, too: outside.go listens there.
func (m *Machine) connectInside() error {
	return errors.Join(
		ip("link", "set", "lo", "up"),
		ip("address", "add", APIServer+"/32", "dev", "lo"),
		ip("address", "add", m.Address()+"/30", "dev", "eth0"),
		ip("link", "set", "eth0", "up"),
		ip("route", "add", "default", "via", m.outside()), // a kubelet takes its address from the default route; outside forwards nothing
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600))
}

// clear removes what outlives the machine's processes.
func (m *Machine) clear() error {
	var errs []error
	if _, err := net.InterfaceByName(m.Link()); err == nil { // else the kernel was faster
		errs = append(errs, ip("link", "delete", m.Link()))
	}
	return errors.Join(append(errs, removeCgroups(m.Cgroup()))...)
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
