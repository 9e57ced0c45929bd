package keys

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMessages keeps what people read, byte by byte.
func TestMessages(t *testing.T) {
	var b strings.Builder
	for _, part := range []struct {
		title string
		cases map[string]keyCase
	}{
		{"a key that is there", keysThatAreThere()},
		{"a key that is not what it was", keysThatAreNotWhatTheyWere()},
		{"a key of which several agents tell", keysOfSeveralAgents()},
		{"a key that nobody can look at", declaredKeys()},
	} {
		fmt.Fprintf(&b, "# %s\n\n", part.title)
		for _, what := range slices.Sorted(maps.Keys(part.cases)) {
			v := part.cases[what].judge(noon)
			fmt.Fprintf(&b, "%s\n  %s, %s: %s\n", what, v.Phase, v.Reason, v.Message)
		}
		fmt.Fprintln(&b)
	}
	path := filepath.Join("testdata", "messages.golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("messages changed; if they should, run go test ./internal/keys -run TestMessages -update (-want +got):\n%s", diff)
	}
}
