//go:build !linux

package machine

import (
	"context"
	"errors"
)

// errLinux is all that can be said elsewhere.
var errLinux = errors.New("a machine is made of namespaces, which only Linux has")

// Options say what machine to keep.
type Options struct{ Dir, APIServer, Ready string }

// Keep fails.
func Keep(context.Context, Options) error { return errLinux }

// Init fails.
func Init(string, int) error { return errLinux }

// Enter fails.
func Enter(string, string, ...string) (int, error) { return 0, errLinux }

// Become fails.
func Become(string, ...string) error { return errLinux }
