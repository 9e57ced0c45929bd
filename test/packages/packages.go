// Package packages sees to it that Debian packages which tests or demonstrations need are on this machine.
package packages

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Needed is a file that must be there, and the Debian package that brings it. A File without a folder is a program.
type Needed struct{ Package, File string }

// Ensure sees to it that all files are there. Where it may, it installs what is missing; where it may not, it says with which line to do so.
// who is who needs them, as the subject of a sentence: "a real node".
func Ensure(ctx context.Context, progress io.Writer, who string, needed ...Needed) error {
	missing := missingOf(needed)
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "installing what %s needs: %s\n", who, strings.Join(missing, " "))
	if err := install(ctx, missing); err != nil {
		return fmt.Errorf("%s needs %s, and installing that failed: %w\nInstall it with this line and try again:\n  %s",
			who, strings.Join(missing, ", "), err, installLine(missing))
	}
	return nil
}

func missingOf(needed []Needed) []string {
	var missing []string
	for _, n := range needed {
		if !installed(n.File) {
			missing = append(missing, n.Package)
		}
	}
	return missing
}

// installed also looks where PATH may not lead.
func installed(file string) bool {
	if filepath.IsAbs(file) {
		_, err := os.Stat(file)
		return err == nil
	}
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
