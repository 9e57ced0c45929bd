package webhook

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// notes are what was answered, sentence by sentence, to be compared with a golden file.
type notes struct{ text strings.Builder }

func (n *notes) add(sentence, answer string) {
	n.text.WriteString("# " + sentence + "\n" + answer + "\n")
}

// compare holds what was noted to testdata/<name>.golden.
func (n *notes) compare(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(n.text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), n.text.String()); diff != "" {
		t.Errorf("answers differ from %s; if they are meant, run go test with -update (-golden +now):\n%s", path, diff)
	}
}
