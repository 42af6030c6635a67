package trivium_test

import (
	"bytes"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// files are the files below here whose names end in suffix.
func files(t *testing.T, suffix string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && len(path) > 1 && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case strings.HasSuffix(path, suffix) && d.Type().IsRegular():
			names = append(names, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// banned are calls and marks that have a better replacement.
var banned = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`), "finish it, or file an issue"},
	{regexp.MustCompile(`\bprometheus\.DefaultRegisterer\b|\bhttp\.DefaultServeMux\b`), "use a registry or mux of your own"},
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
		if err != nil {
			t.Fatal(err)
		}
		if formatted, err := format.Source(src); err != nil || !bytes.Equal(src, formatted) {
			t.Errorf("%s is not formatted by gofmt (%v)", name, err)
		}
		for _, b := range banned {
			if at := b.pattern.FindIndex(src); at != nil {
				t.Errorf("%s:%d: %s: %s", name, 1+bytes.Count(src[:at[0]], []byte("\n")), src[at[0]:at[1]], b.instead)
			}
		}
	}
}
