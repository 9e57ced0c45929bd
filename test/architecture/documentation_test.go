package architecture

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

var (
	fencedBlock = regexp.MustCompile("(?ms)^[ \t]*```([a-z]*)[^\n]*\n(.*?)^[ \t]*```[ \t]*$") //nolint:gocritic // with (?m) a ^ may stand anywhere
	inlineCode  = regexp.MustCompile("`[^`\n]*`")
	link        = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#{1,6}[ \t]+(.+?)[ \t]*$`)
	linkText    = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// prose is a document without its code, in which brackets are no links and # is no heading.
func prose(text []byte) string {
	return fencedBlock.ReplaceAllString(string(text), "")
}

func TestRelativeLinksResolve(t *testing.T) {
	for _, file := range files(t, ".", ".md") {
		text := inlineCode.ReplaceAllString(prose(read(t, file)), "")
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if complaint := broken(t, file, match[1]); complaint != "" {
				t.Errorf("%s: link to %s: %s", relative(t, file), match[1], complaint)
			}
		}
	}
}

// broken says what is wrong with a link in a file, and nothing if it resolves. Links that leave the repository are not followed.
func broken(t *testing.T, file, target string) string {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if address.IsAbs() || address.Host != "" {
		return ""
	}
	destination := file
	if address.Path != "" {
		destination = filepath.Join(filepath.Dir(file), filepath.FromSlash(address.Path))
	}
	if _, err := os.Stat(destination); err != nil {
		return "there is no such file"
	}
	if address.Fragment != "" && strings.HasSuffix(destination, ".md") && !anchors(t, destination)[address.Fragment] {
		return "there is no such heading"
	}
	return ""
}

// anchors are the names under which the headings of a document can be linked to.
func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(prose(read(t, file)), -1) {
		names[anchor(match[1])] = true
	}
	return names
}

// anchor turns a heading into its name: small letters, digits, '-' and '_', with '-' for blanks.
func anchor(heading string) string {
	heading = linkText.ReplaceAllString(heading, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, heading)
}

// A sample that does not decode would be the first thing that a reader tries.
func TestSamplesInDocumentationDecode(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	decoded := 0
	for _, file := range files(t, ".", ".md") {
		for _, block := range fencedBlock.FindAllSubmatch(read(t, file), -1) {
			if string(block[1]) != "yaml" {
				continue
			}
			for _, document := range documents(t, block[2]) {
				found, err := decodeSample(scheme, document)
				if err != nil {
					t.Errorf("%s: %v in\n%s", relative(t, file), err, document)
				}
				if found {
					decoded++
				}
			}
		}
	}
	if decoded == 0 {
		t.Error("no sample was found: does this test still look in the right place?")
	}
}

// decodeSample decodes a document strictly if it is one of our kinds, and says whether it is.
func decodeSample(scheme *runtime.Scheme, document []byte) (bool, error) {
	var kind struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &kind); err != nil || kind.APIVersion != v1alpha1.GroupVersion.String() {
		return false, err
	}
	object, err := scheme.New(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
	if err != nil {
		return true, err
	}
	return true, yaml.UnmarshalStrict(document, object)
}
