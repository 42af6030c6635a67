// Package trivium_test checks what holds for the project as a whole.
package trivium_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says what each folder's packages may import of this module, besides
// packages of the same folder (docs/architecture.md). A door is no folder of
// another door's list, and nothing points up.
var allowed = map[string][]string{
	"cmd":          {"server"},
	"server":       {"amqp", "kafkawire", "natswire", "admin", "auth", "core", "storage", "internal"},
	"amqp":         {"auth", "core", "internal"},
	"kafkawire":    {"auth", "core", "internal"},
	"natswire":     {"auth", "core", "internal"},
	"admin":        {"auth", "core", "internal"},
	"auth":         {"internal"},
	"core":         {"storage", "internal"},
	"storage":      {"internal"},
	"internal":     {},
	"compat-tests": {"internal"},
	// Of doors only a codec: its load drivers speak the protocols.
	"bench": {"amqp"},
}

const module = "trivium"

// listed is what the test reads of `go list -json`.
type listed struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var ps []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return ps
		case err != nil:
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
}

// folder is the first element of a package's path inside the module.
func folder(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, module+"/"), "/")
	return first
}

// Dependencies point down: cmd, server, doors and admin, auth and core, storage.
func TestImportsPointDown(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range list(t) {
		if p.ImportPath == module {
			continue
		}
		from := folder(p.ImportPath)
		seen[from] = true
		may, known := allowed[from]
		if !known {
			t.Errorf("%s: the folder %q has no place in the order of imports", p.ImportPath, from)
		}
		for _, i := range p.Imports {
			to := folder(i)
			if strings.HasPrefix(i, module+"/") && to != from && !slices.Contains(may, to) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
	for _, f := range []string{"cmd", "server", "amqp", "kafkawire", "natswire", "admin", "auth", "core", "storage"} {
		if !seen[f] {
			t.Errorf("no package in %s: does the test look in the right place?", f)
		}
	}
}

// Leaves stay leaves: what internal/ and a door's codec import is the standard
// library, or, for a codec, what the module allows itself below doors.
func TestLeaves(t *testing.T) {
	for _, p := range list(t) {
		codec := strings.HasSuffix(p.ImportPath, "/wire")
		if folder(p.ImportPath) != "internal" && !codec {
			continue
		}
		for _, i := range p.Imports {
			first, _, _ := strings.Cut(i, "/")
			outside := strings.Contains(first, ".")
			inside := first == module && folder(i) != "internal" && !strings.HasPrefix(i, p.ImportPath+"/")
			switch {
			case inside:
				t.Errorf("%s imports %s", p.ImportPath, i)
			case outside && !codec:
				t.Errorf("%s imports %s, and may import the standard library only", p.ImportPath, i)
			case codec && (i == "net" || i == "os" || i == "net/http"):
				t.Errorf("%s imports %s, and a codec does no I/O", p.ImportPath, i)
			}
		}
	}
}
