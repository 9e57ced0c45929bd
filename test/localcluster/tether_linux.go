package main

import "syscall"

// endsWithParent has the kernel kill a child whose parent is gone, however it went.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
