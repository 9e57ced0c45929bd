// Command localcluster is a whole Kubernetes control plane in one binary.
//
// It becomes the program it is started under, by a link of that name or by its first argument:
//
//	localcluster etcd --data-dir ...
//	ln -s localcluster kubectl && ./kubectl get nodes
//
// One binary instead of six, because the six share most of their code and linking dominates a rebuild. Everything in
// it comes from published Go modules, so a machine with a module proxy and nothing else can build and test against the
// real API server. Package test/cluster of the main module builds, wires up and starts it.
package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// programs are the names this binary answers to. Each function returns the exit code; its arguments are in os.Args,
// because that is where cobra, etcd and kwok all look.
var programs = map[string]func() int{
	"etcd":                    etcd,
	"kube-apiserver":          apiServer,
	"kube-controller-manager": controllerManager,
	"kube-scheduler":          scheduler,
	"kubectl":                 kubectl,
	"kwok":                    kwok,
	"kwok-stages":             kwokStages,
	"tether":                  tether,
}

func main() {
	program, args := called(os.Args)
	run, known := programs[program]
	if !known {
		names := strings.Join(slices.Sorted(maps.Keys(programs)), ", ")
		fmt.Fprintf(os.Stderr, "localcluster is none of these programs: %q. It can be %s.\n", program, names)
		os.Exit(2)
	}
	if err := dieWithParent(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		os.Exit(1)
	}
	os.Args = args
	os.Exit(run())
}

// called tells which program was asked for and the arguments it shall see, its own name first.
func called(args []string) (program string, own []string) {
	name := filepath.Base(args[0])
	if _, known := programs[name]; known || len(args) < 2 {
		return name, args
	}
	return args[1], args[1:]
}

// lifelineVariable says at which file descriptor the lifeline is, the read end of a FIFO whose write end the owner of
// the cluster holds open for as long as it lives.
const lifelineVariable = "TERROIR_LIFELINE_FD"

// dieWithParent ends this process once nobody holds the other end of the lifeline. The kernel closes that end however
// the owner died, so a test killed with SIGKILL leaves nothing running. Without the variable the process stands alone.
func dieWithParent() error {
	switch fd := os.Getenv(lifelineVariable); fd {
	case "":
		return nil
	case "3":
		go exitAtEOF(os.NewFile(3, "lifeline"))
		return os.Unsetenv(lifelineVariable)
	default:
		return fmt.Errorf("%s=%s: the lifeline is passed as file descriptor 3", lifelineVariable, fd)
	}
}

func exitAtEOF(lifeline io.Reader) {
	_, _ = io.Copy(io.Discard, lifeline)
	// Whether it was EOF or a broken descriptor: without a lifeline nobody would ever stop this process.
	os.Exit(1)
}
