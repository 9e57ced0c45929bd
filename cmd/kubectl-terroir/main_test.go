package main

import (
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/terroir-dev/terroir/internal/uninstall"
)

// Nothing here reaches a cluster: test/uninstall runs the built command on one.
func TestCommandLine(t *testing.T) {
	for what, c := range map[string]struct {
		args      []string
		code      int
		out, said string
	}{
		"without a command it says what there is":            {nil, 0, "kubectl terroir [command]", ""},
		"help names it as its users type it":                 {[]string{"uninstall", "--help"}, 0, "kubectl terroir uninstall [flags]", ""},
		"a command that does not exist is a mistake":         {[]string{"install"}, exitUsage, "", `"install" is not a command of it`},
		"a flag that does not exist is a mistake":            {[]string{"uninstall", "--now"}, exitUsage, "", "unknown flag: --now"},
		"an argument that nobody asked for is one":           {[]string{"uninstall", "everything"}, exitUsage, "", `"everything" is not`},
		"a format is for a plan":                             {[]string{"uninstall", "-o", "json"}, exitUsage, "", "--dry-run"},
		"a format that does not exist is a mistake":          {[]string{"uninstall", "--dry-run", "-o", "xml"}, exitUsage, "", "-o takes json"},
		"a cluster that is not there is a failure, not help": {[]string{"uninstall", "--server", "http://127.0.0.1:1"}, exitFailed, "", "connection refused"},
	} {
		t.Run(what, func(t *testing.T) {
			streams, _, out, said := genericiooptions.NewTestIOStreams()
			code := run(t.Context(), streams, c.args)
			if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(said.String(), c.said) {
				t.Errorf("exit code %d, standard output %q, and it said %q", code, out, said)
			}
			if c.out == "" && out.Len() > 0 || c.said == "" && said.Len() > 0 {
				t.Errorf("standard output %q, and it said %q", out, said)
			}
		})
	}
}

func TestSentences(t *testing.T) {
	const want = `operator: refused: it runs
fence: delete a
fence: wait for b
nodes: left to you: c
`
	got := sentences([]uninstall.Todo{
		{Stage: "operator", Refused: "it runs"},
		{Stage: "fence", Steps: []uninstall.Step{{Says: "delete a"}}, Waits: []string{"b"}},
		{Stage: "nodes", Left: []uninstall.Left{{Says: "c"}}},
	})
	if string(got) != want {
		t.Errorf("it says %q", got)
	}
	if got := sentences([]uninstall.Todo{{Stage: "operator"}}); string(got) != "nothing of Terroir is left\n" {
		t.Errorf("it says %q", got)
	}
}
