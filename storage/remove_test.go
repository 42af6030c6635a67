package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestRemoveFile: a large file shrinks before it goes, unless there is a hurry.
func TestRemoveFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for _, hurry := range []bool{false, true} {
		if err := os.WriteFile(name, make([]byte, 3*removeStep+1), 0o666); err != nil {
			t.Fatal(err)
		}
		var sizes []int64
		err := removeFile(vfs.Default, name, func() bool {
			st, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, st.Size())
			return hurry
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("it is there: %v", err)
		}
		if want := map[bool]int{false: 3, true: 1}[hurry]; len(sizes) != want || sizes[want-1] != int64(4-want)*removeStep+1 {
			t.Errorf("hurry %v: sizes %v", hurry, sizes)
		}
	}
	if err := removeFile(vfs.Default, name, func() bool { return false }); err != nil {
		t.Errorf("what is not there: %v", err)
	}
}
