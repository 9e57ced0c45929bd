package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAProcessIsKnownByItsStart(t *testing.T) {
	started, running := startOf(os.Getpid())
	if !running {
		t.Fatal("this process does not run")
	}
	for sentence, test := range map[string]struct {
		process identity
		alive   bool
	}{
		"this process is alive":                                 {identity{os.Getpid(), started}, true},
		"one that had this id before is not":                    {identity{os.Getpid(), started + "0"}, false},
		"one never started is not, and signals reach no group":  {identity{0, ""}, false},
		"one whose start could not be read is not taken for us": {identity{os.Getpid(), ""}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := test.process.alive(); got != test.alive {
				t.Errorf("alive: got %t, want %t", got, test.alive)
			}
			if !test.alive {
				if err := test.process.kill(); err != nil { // and we survive it
					t.Errorf("killing one that is gone: %v", err)
				}
			}
		})
	}
}

func TestAFailureTellsATakenPort(t *testing.T) {
	c := &Cluster{dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(c.dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for log, taken := range map[string]bool{
		"listen tcp 127.0.0.1:40000: bind: address already in use\n": true,
		"unknown flag: --x\n": false,
	} {
		if err := os.WriteFile(c.Log(Etcd), []byte(log), 0o600); err != nil {
			t.Fatal(err)
		}
		err := c.failure(Etcd, errors.New("it ended"))
		if errors.Is(err, errPortTaken) != taken || !strings.Contains(err.Error(), strings.TrimSpace(log)) {
			t.Errorf("got %v, want errPortTaken: %t, and the log's text", err, taken)
		}
	}
}

func TestTheBuildKeyFollowsTheModule(t *testing.T) {
	module := t.TempDir()
	write := func(content string) string {
		if err := os.WriteFile(filepath.Join(module, "go.mod"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := buildKey(module, "go1")
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	one, again, other := write("a"), write("a"), write("b")
	if one != again || one == other {
		t.Errorf("keys are %s, %s for the same file and %s for another", one, again, other)
	}
}

func TestTooLittleSpaceIsSaidPlainly(t *testing.T) {
	err := enoughSpace(t.TempDir(), 1<<62)
	if err == nil || !strings.Contains(err.Error(), "too little disk space") {
		t.Errorf("got %v, want it to say that there is too little disk space", err)
	}
}
