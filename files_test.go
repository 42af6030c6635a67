package trivium_test

import (
	"bytes"
	"go/format"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// files are the tracked files whose names end in suffix.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "*"+suffix).Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return strings.Fields(string(out))
}

// banned are calls and marks that have a better replacement.
var banned = []struct {
	pattern *regexp.Regexp
	tests   bool // in tests only
	instead string
}{
	{regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`), false, "finish it, or file an issue"},
	{regexp.MustCompile(`\bprometheus\.DefaultRegisterer\b|\bhttp\.DefaultServeMux\b`), false, "use a registry or mux of your own"},
	{regexp.MustCompile(`\btime\.Sleep\(`), true, "poll, or use testing/synctest"},
}

func TestGoFiles(t *testing.T) {
	names := files(t, ".go")
	if len(names) < 10 {
		t.Fatalf("%d Go files: does the test look in the right place?", len(names))
	}
	for _, name := range names {
		if name == "files_test.go" {
			continue // it names what is banned
		}
		src, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // removed, not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if formatted, err := format.Source(src); err != nil || !bytes.Equal(src, formatted) {
			t.Errorf("%s is not formatted by gofmt (%v)", name, err)
		}
		for _, b := range banned {
			if b.tests && !strings.HasSuffix(name, "_test.go") {
				continue
			}
			if at := b.pattern.FindIndex(src); at != nil {
				t.Errorf("%s:%d: %s: %s", name, 1+bytes.Count(src[:at[0]], []byte("\n")), src[at[0]:at[1]], b.instead)
			}
		}
	}
}
