package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// poll is how often conditions are looked at while waiting for one.
const poll = 25 * time.Millisecond

// identity names one process for good: a process id alone may belong to somebody else by the time we look again.
type identity struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

func (i identity) alive() bool {
	if i.PID <= 0 {
		return false
	}
	started, running := startOf(i.PID)
	return running && started == i.Started
}

// signal reaches the process only if it is still the one we mean.
func (i identity) signal(s syscall.Signal) {
	if i.alive() {
		_ = syscall.Kill(i.PID, s) // it may end between the two lines, which is what we want anyway
	}
}

// ended waits until the process is gone.
func (i identity) ended(ctx context.Context) error {
	return until(ctx, func() bool { return !i.alive() })
}

// stop asks with SIGTERM and insists with SIGKILL after stopGrace.
func (i identity) stop() error {
	i.signal(syscall.SIGTERM)
	asked, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if i.ended(asked) == nil {
		return nil
	}
	return i.kill()
}

func (i identity) kill() error {
	i.signal(syscall.SIGKILL)
	killed, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := i.ended(killed); err != nil {
		return fmt.Errorf("process %d does not end after SIGKILL: %w", i.PID, err)
	}
	return nil
}

// until returns when the condition holds or the context is done.
func until(ctx context.Context, condition func() bool) error {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// startOf tells when a process started, in whatever notation the system has, and whether it runs. A zombie does not:
// it only waits for its parent to notice.
func startOf(pid int) (started string, running bool) {
	if runtime.GOOS == "linux" {
		return startFromProc(pid)
	}
	return startFromPs(pid)
}

func startFromProc(pid int) (started string, running bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false
	}
	// The program's name stands in parentheses and may itself hold blanks and parentheses.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const state, startTime = 0, 19
	if len(fields) <= startTime {
		return "", false
	}
	return fields[startTime], fields[state] != "Z" && fields[state] != "X"
}

func startFromPs(pid int) (started string, running bool) {
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", fmt.Sprint(pid)).Output()
	state, started, found := strings.Cut(strings.TrimSpace(string(out)), " ")
	return strings.TrimSpace(started), err == nil && found && !strings.HasPrefix(state, "Z")
}

// launch starts a program in a process group of its own, so that Ctrl-C at a terminal reaches only its owner, who then
// stops it in order. With a lifeline it ends when the lifeline does.
func launch(program string, args, env []string, logPath string, lifeline *os.File) (identity, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return identity{}, fmt.Errorf("opening the log: %w", err)
	}
	defer log.Close()
	command := exec.Command(program, args...)
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), env...)
	if lifeline != nil {
		command.ExtraFiles = []*os.File{lifeline} // becomes file descriptor 3
		command.Env = append(command.Env, lifelineVariable+"=3")
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return identity{}, fmt.Errorf("starting %s: %w", program, err)
	}
	started, _ := startOf(command.Process.Pid)
	go func() { _ = command.Wait() }() // reaps it; how it ended stands in its log
	return identity{PID: command.Process.Pid, Started: started}, nil
}
