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

func TestABuildKeyFollowsWhatIsBuilt(t *testing.T) {
	module := t.TempDir()
	keys := func(file, content string) (ofControlPlane, ofKubelet string) {
		if err := os.WriteFile(filepath.Join(module, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		ofControlPlane, err := buildKey(module, "go1", controlPlane)
		if err != nil {
			t.Fatal(err)
		}
		ofKubelet, err = buildKey(module, "go1", kubelet)
		if err != nil {
			t.Fatal(err)
		}
		return ofControlPlane, ofKubelet
	}
	if err := os.Mkdir(filepath.Join(module, kubeletSource), 0o700); err != nil {
		t.Fatal(err)
	}
	one, oneKubelet := keys("go.mod", "a")
	if again, againKubelet := keys("go.mod", "a"); again != one || againKubelet != oneKubelet {
		t.Errorf("the keys change from %s and %s to %s and %s, and the files do not", one, oneKubelet, again, againKubelet)
	}
	if other, otherKubelet := keys(kubeletSource+"/main.go", "a"); other != one || otherKubelet == oneKubelet {
		t.Errorf("a change of the kubelet's program alone changes the keys from %s and %s to %s and %s", one, oneKubelet, other, otherKubelet)
	}
	if other, otherKubelet := keys("go.mod", "b"); other == one || otherKubelet == oneKubelet {
		t.Errorf("a change of the versions leaves the keys %s and %s as they are", one, oneKubelet)
	}
}

func TestTooLittleSpaceIsSaidPlainly(t *testing.T) {
	err := enoughSpace(t.TempDir(), "something", 1<<62)
	if err == nil || !strings.Contains(err.Error(), "too little disk space") {
		t.Errorf("got %v, want it to say that there is too little disk space", err)
	}
}
