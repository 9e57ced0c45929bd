package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// tether runs a program that knows nothing of lifelines, and sees to it that it ends when this process does. Signals are passed on.
func tether() int {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "tether needs a program to run")
		return 2
	}
	runtime.LockOSThread() // the kernel looks at the thread that started the child, not at the process
	child := exec.Command(os.Args[1], os.Args[2:]...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = endsWithParent()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := child.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "starting %s: %v\n", os.Args[1], err)
		return 1
	}
	go func() {
		for s := range signals {
			_ = child.Process.Signal(s) // it may have ended by itself meanwhile
		}
	}()
	var exit *exec.ExitError
	if err := child.Wait(); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	return 0
}
