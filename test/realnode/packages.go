package realnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// needed are files of a node's machine, and the Debian packages that bring them.
var needed = []struct{ pkg, file string }{
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"containernetworking-plugins", "/usr/lib/cni/bridge"},
	{"iproute2", "ip"},
}

// Prepare sees to it that this machine has what a node needs. Where it may, it installs what is missing; where it may not, it says
// with which line to do so.
func Prepare(ctx context.Context, progress io.Writer) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a real node needs Linux, and this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("a real node needs root: it has namespaces, mounts and control groups of its own. Run the same command with sudo")
	}
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "installing what a real node needs: %s\n", strings.Join(missing, " "))
	if err := install(ctx, missing); err != nil {
		return fmt.Errorf("a real node needs %s, and installing that failed: %w\nInstall it with this line and try again:\n  %s",
			strings.Join(missing, ", "), err, installLine(missing))
	}
	return nil
}

func missingPackages() []string {
	var missing []string
	for _, n := range needed {
		if !installed(n.file) {
			missing = append(missing, n.pkg)
		}
	}
	return missing
}

// installed also looks where PATH may not lead.
func installed(file string) bool {
	for _, folder := range []string{"", "/usr/sbin", "/sbin", "/usr/bin"} {
		if _, err := exec.LookPath(filepath.Join(folder, file)); err == nil {
			return true
		}
	}
	return false
}

func installLine(packages []string) string {
	return "apt-get update && apt-get install --yes --no-install-recommends " + strings.Join(packages, " ")
}

// install uses the line that people are told.
func install(ctx context.Context, packages []string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this system has no apt-get: %w", err)
	}
	command := exec.CommandContext(ctx, "sh", "-c", installLine(packages))
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
