//go:build !linux

package main

import "syscall"

// endsWithParent can promise nothing here: a child outlives a parent that was killed with SIGKILL.
func endsWithParent() *syscall.SysProcAttr { return nil }
