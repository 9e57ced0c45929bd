package cluster

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Binaries is where the built programs lie.
type Binaries struct {
	Dir string `json:"dir"`
}

// Path is the path of a program: one of the components, or kubectl.
func (b Binaries) Path(program string) string { return filepath.Join(b.Dir, program) }

// Stages is kwok's configuration: the life of simulated nodes and pods.
func (b Binaries) Stages() string { return filepath.Join(b.Dir, "stages.yaml") }

// programs are the names under which the one binary is linked.
var programs = append([]string{"kubectl", tether}, order...)

const (
	// buildNeeds is what the Go build cache takes for the whole control plane, with the modules and the result; less for the kubelet.
	buildNeeds = 5 << 30
	gib        = 1 << 30
)

// Build builds the control plane from the Go modules that test/localcluster pins, unless that has been done for these
// versions before. The result lies in the user's cache directory and serves every checkout. It tells progress about
// a build, and nothing otherwise.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	dir, err := obtain(ctx, controlPlane, progress)
	return Binaries{Dir: dir}, err
}

// BuildKubelet builds the kubelet in the same way and gives its path. It is a binary of its own, so that only those wait for it
// who want a real node.
func BuildKubelet(ctx context.Context, progress io.Writer) (path string, err error) {
	dir, err := obtain(ctx, kubelet, progress)
	return filepath.Join(dir, kubelet.binary), err
}

// obtain gives the directory with a product, which it builds if need be.
func obtain(ctx context.Context, p product, progress io.Writer) (dir string, err error) {
	b, err := planBuild(ctx, p)
	if err != nil {
		return "", err
	}
	if b.done() {
		return b.dir, nil
	}
	unlock, err := b.lock(ctx, progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if b.done() { // by the one we waited for
		return b.dir, nil
	}
	return b.dir, b.run(ctx, progress)
}

// product is one binary that test/localcluster is built into.
type product struct {
	title   string // for people
	binary  string // its file
	source  string // the folder of its main package, in the module
	prefix  string // of the directory in the cache
	furnish func(ctx context.Context, dir string) error
}

var (
	controlPlane = product{title: "kube-apiserver and friends", binary: "localcluster", source: ".", furnish: furnish}
	kubelet      = product{title: "the kubelet", binary: "kubelet", source: kubeletSource, prefix: "kubelet-", furnish: readable}
)

// kubeletSource is the one folder of the module that the control plane is not built from.
const kubeletSource = "kubelet"

// build is one build of one module for one platform by one version of Go.
type build struct {
	product
	module  string // directory of test/localcluster
	version string // of Kubernetes
	dir     string // where the result belongs
}

func planBuild(ctx context.Context, p product) (build, error) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return build{}, fmt.Errorf("the local cluster runs on Linux and macOS, not on %s; on Windows use WSL", runtime.GOOS)
	}
	module, err := moduleDir()
	if err != nil {
		return build{}, err
	}
	toolchain, err := goVersion(ctx, module)
	if err != nil {
		return build{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return build{}, fmt.Errorf("looking for a place to keep %s: %w", p.title, err)
	}
	key, err := buildKey(module, toolchain, p)
	if err != nil {
		return build{}, err
	}
	version, err := kubernetesVersion(module)
	return build{product: p, module: module, version: version, dir: filepath.Join(cache, "terroir", "localcluster", p.prefix+key)}, err
}

// moduleDir finds test/localcluster beside this file or, in a binary built with -trimpath, above the working directory.
func moduleDir() (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Join(filepath.Dir(file), "..", "localcluster")
		if isFile(filepath.Join(dir, "go.mod")) {
			return filepath.Clean(dir), nil
		}
	}
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("looking for test/localcluster: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		module := filepath.Join(dir, "test", "localcluster")
		if isFile(filepath.Join(module, "go.mod")) {
			return module, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no test/localcluster in %s or above: run this inside a checkout of terroir", start)
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func goVersion(ctx context.Context, module string) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", errors.New("there is no go command in PATH, and the local cluster is built with it: install Go and try again")
	}
	command := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	command.Dir = module
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("asking go for its version: %w", explained(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// explained adds what the command wrote to stderr.
func explained(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

// buildKey changes with anything that changes the result: the module's files, the toolchain, the platform.
func buildKey(module, toolchain string, p product) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, toolchain, runtime.GOOS, runtime.GOARCH, linkerFlags("version"), programs)
	err := fs.WalkDir(os.DirFS(module), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return p.without(path)
		}
		data, err := os.ReadFile(filepath.Join(module, path))
		fmt.Fprintln(hash, path, len(data))
		hash.Write(data)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", module, err)
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// without skips the folder of another product: a change there is no reason to build this one anew.
func (p product) without(folder string) error {
	if folder == kubeletSource && p.source != kubeletSource {
		return fs.SkipDir
	}
	return nil
}

var kubernetesRequirement = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v\S+)`)

func kubernetesVersion(module string) (string, error) {
	data, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("looking up the version of Kubernetes: %w", err)
	}
	found := kubernetesRequirement.FindSubmatch(data)
	if found == nil {
		return "", fmt.Errorf("%s/go.mod does not require k8s.io/kubernetes", module)
	}
	return string(found[1]), nil
}

// linkerFlags writes the version into the binary. Without it the API server calls itself v0.0.0-master, and clients
// that look at the version take it for an ancient one.
func linkerFlags(version string) string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	flags := []string{"-s", "-w"}
	for _, in := range []string{"k8s.io/component-base/version.", "k8s.io/client-go/pkg/version."} {
		flags = append(flags,
			"-X "+in+"gitVersion="+version, "-X "+in+"gitMajor="+major, "-X "+in+"gitMinor="+minor,
			"-X "+in+"gitTreeState=clean", "-X "+in+"gitCommit=", "-X "+in+"buildDate=1970-01-01T00:00:00Z")
	}
	return strings.Join(flags, " ")
}

// done looks at the binary alone: the directory gets its name when it is complete.
func (b build) done() bool { return isFile(filepath.Join(b.dir, b.binary)) }

// lock lets one process build at a time; the others wait for it and find the result.
func (b build) lock(ctx context.Context, progress io.Writer) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(b.dir), 0o755); err != nil {
		return nil, fmt.Errorf("making a place for %s: %w", b.title, err)
	}
	unlock, err = tryLock(b.dir + ".lock")
	if !errors.Is(err, errLocked) {
		return unlock, err
	}
	fmt.Fprintln(progress, "waiting for another process that builds", b.title)
	waiting := until(ctx, func() bool {
		unlock, err = tryLock(b.dir + ".lock")
		return !errors.Is(err, errLocked)
	})
	return unlock, errors.Join(waiting, err)
}

// run builds into a directory beside the final one and renames it, so that a half-built one is never found.
func (b build) run(ctx context.Context, progress io.Writer) error {
	if err := enoughSpace(filepath.Dir(b.dir), b.title, buildNeeds); err != nil {
		return err
	}
	start := time.Now()
	unfinished, err := os.MkdirTemp(filepath.Dir(b.dir), "unfinished-")
	if err != nil {
		return fmt.Errorf("making a place to build in: %w", err)
	}
	defer os.RemoveAll(unfinished)
	if err := b.compile(ctx, filepath.Join(unfinished, b.binary), progress); err != nil {
		return err
	}
	if err := b.furnish(ctx, unfinished); err != nil {
		return err
	}
	if err := os.Rename(unfinished, b.dir); err != nil {
		return fmt.Errorf("putting %s in place: %w", b.title, err)
	}
	fmt.Fprintf(progress, "built %s %s in %s\n", b.title, b.version, time.Since(start).Round(time.Second))
	return nil
}

// furnish links the program names to the binary and writes kwok's stages out of it.
func furnish(ctx context.Context, dir string) error {
	for _, program := range programs {
		if err := os.Symlink("localcluster", filepath.Join(dir, program)); err != nil {
			return fmt.Errorf("linking %s: %w", program, err)
		}
	}
	stages, err := exec.CommandContext(ctx, filepath.Join(dir, "localcluster"), "kwok-stages").Output()
	if err != nil {
		return fmt.Errorf("asking kwok for its stages: %w", explained(err))
	}
	if err := os.WriteFile(filepath.Join(dir, "stages.yaml"), stages, 0o644); err != nil {
		return fmt.Errorf("writing kwok's stages: %w", err)
	}
	return readable(ctx, dir)
}

// readable opens a directory that was made as a temporary one.
func readable(_ context.Context, dir string) error { return os.Chmod(dir, 0o755) }

func enoughSpace(dir, title string, needed uint64) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("asking for free disk space at %s: %w", dir, err)
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < needed {
		return fmt.Errorf("too little disk space at %s: %.1f GiB free, and building %s takes up to %d GiB; make room and try again",
			dir, float64(free)/gib, title, needed/gib)
	}
	return nil
}

func (b build) compile(ctx context.Context, output string, progress io.Writer) error {
	command := exec.CommandContext(ctx, "go", "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false",
		"-ldflags", linkerFlags(b.version), "-o", output, "./"+b.source)
	command.Dir = b.module
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	var seen watcher
	command.Stdout, command.Stderr = &seen, &seen
	fmt.Fprintf(progress, "building %s, %s, first time only: takes some minutes\n", b.title, b.version)
	stop := every(10*time.Second, func(elapsed time.Duration) {
		fmt.Fprintf(progress, "building %s, first time only: %s, %d packages so far\n", b.title, elapsed, seen.lines.Load())
	})
	defer stop()
	if err := command.Run(); err != nil {
		return fmt.Errorf("building %s: %w; the last lines of go build:\n%s", b.title, errors.Join(ctx.Err(), err), seen.tail())
	}
	return nil
}

// every calls report from time to time until the returned function is called, and never after that.
func every(interval time.Duration, report func(elapsed time.Duration)) (stop func()) {
	start, done, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				report(time.Since(start).Round(time.Second))
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// watcher counts lines and keeps the text: go build -v prints one line for each package it compiles.
type watcher struct {
	lines atomic.Int64
	text  bytes.Buffer
}

func (w *watcher) Write(p []byte) (int, error) {
	w.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	return w.text.Write(p)
}

func (w *watcher) tail() string { return lastLines(&w.text, 20) }

// lastLines are the last lines of a text, for error messages.
func lastLines(text io.Reader, n int) string {
	var lines []string
	scanner := bufio.NewScanner(text)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		lines = lines[max(0, len(lines)-n):]
	}
	return strings.Join(lines, "\n")
}
