package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/terroir-dev/terroir/test/terroir"
)

// benchmark is what one Go benchmark found: the best of its rounds, since what disturbs only ever slows down.
type benchmark struct {
	time   time.Duration
	bytes  int64
	allocs int64
	// trips is how often somebody else was asked. Zero where nobody counts.
	trips float64
}

// suites are the packages whose benchmarks are run.
var suites = map[string]string{
	"internal/trust":   "Compile|Assess",
	"internal/webhook": "Pod13KB|PodByPolicies|DecodeMutateMarshalDiff",
	"test/bench":       ".",

	"internal/keystore/transit": "Probe",
	"internal/keystore/kmip":    "Probe",
	pkcs11Suite:                 "Probe",
}

// pkcs11Suite is the one suite that needs a C compiler.
const pkcs11Suite = "internal/keystore/pkcs11"

// inProcess runs the suites in turn, round after round.
func (b *bench) inProcess(ctx context.Context) (map[string]benchmark, error) {
	dir, err := os.MkdirTemp("", "terroir-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	for suite := range suites {
		if err := compileSuite(ctx, dir, suite); err != nil {
			return nil, err
		}
	}
	best := map[string]benchmark{}
	for range b.rounds {
		for suite, pattern := range suites {
			out, err := runSuite(ctx, dir, suite, pattern, b.benchtime)
			if err != nil {
				return nil, err
			}
			if err := keepBest(best, out); err != nil {
				return nil, err
			}
		}
	}
	return best, allThere(best)
}

func binaryOf(dir, suite string) string {
	return filepath.Join(dir, strings.ReplaceAll(suite, "/", "-")+".test")
}

func compileSuite(ctx context.Context, dir, suite string) error {
	command := exec.CommandContext(ctx, "go", "test", "-c", "-o", binaryOf(dir, suite), "./"+suite)
	command.Dir = terroir.Root()
	if suite == pkcs11Suite {
		command.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the benchmarks of %s: %w\n%s", suite, err, out)
	}
	return nil
}

func runSuite(ctx context.Context, dir, suite, pattern, benchtime string) (string, error) {
	command := exec.CommandContext(ctx, binaryOf(dir, suite),
		"-test.run=^$", "-test.bench="+pattern, "-test.benchmem", "-test.cpu=2", "-test.benchtime="+benchtime)
	command.Dir = filepath.Join(terroir.Root(), suite)
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running the benchmarks of %s: %w\n%s", suite, err, out)
	}
	return string(out), nil
}

// line is what testing prints of a benchmark.
var line = regexp.MustCompile(`(?m)^Benchmark(\S+)-2\s+\d+\s+([\d.]+) ns/op(?:\s+([\d.]+) trips/op)?.*?(\d+) B/op\s+(\d+) allocs/op`)

func keepBest(best map[string]benchmark, out string) error {
	for _, found := range line.FindAllStringSubmatch(out, -1) {
		nanoseconds, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return fmt.Errorf("reading %q: %w", found[0], err)
		}
		trips, _ := strconv.ParseFloat(found[3], 64)    // empty, or digits, by the expression
		bytes, _ := strconv.ParseInt(found[4], 10, 64)  // digits
		allocs, _ := strconv.ParseInt(found[5], 10, 64) // likewise
		this := benchmark{time: time.Duration(nanoseconds), bytes: bytes, allocs: allocs, trips: trips}
		if known, ok := best[found[1]]; !ok || this.time < known.time {
			best[found[1]] = this
		}
	}
	return nil
}

// allThere notices a benchmark that was renamed or that the expression no longer reads.
func allThere(found map[string]benchmark) error {
	var names []string
	for _, r := range inProcessRows {
		names = append(names, r.name)
	}
	for _, r := range probeRows {
		names = append(names, r.name)
	}
	for _, name := range names {
		if _, ok := found[name]; !ok {
			return fmt.Errorf("there is no benchmark %s any more, or its output has changed", name)
		}
	}
	return nil
}

// Names of benchmarks by which aims are judged.
const (
	shapedReview   = "Pod13KB/must_be_shaped"
	tutorialReview = "DecodeMutateMarshalDiff"
	policies1      = "PodByPolicies/1_policies"
	policies100    = "PodByPolicies/100_policies"
	nodes10        = "ReviewByNodes/10_nodes"
	nodes5000      = "ReviewByNodes/5000_nodes"
)

// inProcessRows are the benchmarks of the table. Each is compared with the one named by against.
var inProcessRows = []struct{ name, what, against string }{
	{"Compile50Providers300Zones500Qualifications", "compile 50 providers, 300 zones, 500 qualifications", ""},
	{"Assess5000Nodes", "assess 5,000 nodes at a new moment (20 levels)", ""},
	{"AssessOneNode", "assess one node at a known moment", ""},
	{"DecidePod/1_policies", "decide a pod: 1 policy concerns it", ""},
	{"DecidePod/10_policies", "decide a pod: 10 policies concern it", "DecidePod/1_policies"},
	{"DecidePod/100_policies", "decide a pod: 100 policies concern it", "DecidePod/1_policies"},
	{tutorialReview, "13 KB review: decode, mutate, marshal, diff", ""},
	{shapedReview, "13 KB review → answer: must be shaped", tutorialReview},
	{"Pod13KB/complies_already", "13 KB review → answer: complies", tutorialReview},
	{policies1, "13 KB review → answer: 1 policy", ""},
	{"PodByPolicies/10_policies", "13 KB review → answer: 10 policies", policies1},
	{policies100, "13 KB review → answer: 100 policies", policies1},
	{nodes10, "review → answer in the HTTP handler: 10 nodes", ""},
	{nodes5000, "review → answer in the HTTP handler: 5,000 nodes", nodes10},
}

// probeRows are the benchmarks of the table of probes.
var probeRows = []struct{ name, what string }{
	{"Probe/pkcs11_look", "PKCS#11, SoftHSM2: look"},
	{"Probe/pkcs11_use", "PKCS#11, SoftHSM2: look, encrypt and decrypt"},
	{"Probe/kmip_look", "KMIP, a server of kmip-go: look"},
	{"Probe/kmip_use", "KMIP, a server of kmip-go: look, encrypt and decrypt"},
	{"Probe/transit_look", "transit, the project's own server: look"},
	{"Probe/transit_use", "transit, the project's own server: look, encrypt and decrypt"},
}
