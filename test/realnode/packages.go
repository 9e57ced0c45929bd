package realnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/terroir-dev/terroir/test/packages"
)

// Prepare sees to it that this machine has what a node needs. Where it may, it installs what is missing; where it may not, it says
// with which line to do so.
func Prepare(ctx context.Context, progress io.Writer) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a real node needs Linux, and this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("a real node needs root: it has namespaces, mounts and control groups of its own. Run the same command with sudo")
	}
	return packages.Ensure(ctx, progress, "a real node",
		packages.Needed{Package: "containerd", File: "containerd"},
		packages.Needed{Package: "runc", File: "runc"},
		packages.Needed{Package: "containernetworking-plugins", File: "/usr/lib/cni/bridge"},
		packages.Needed{Package: "iproute2", File: "ip"})
}
