package core

import (
	"fmt"
	"strings"

	"trivium/storage"
)

// Code is the closed set of reasons for which core refuses something. Each door
// has one table from codes to its own.
type Code uint8

const (
	_ Code = iota
	NotFound
	Exists
	InUse
	Gone
	Full
	TooLarge
	Invalid
	WrongLast
	WrongLastID
	Duplicate
	OutOfSequence
	Fenced
	Unwritable // the store is read-only
	NoSpace    // the disk is nearly full
	Corrupt
	codeEnd
)

var codeText = [codeEnd]string{
	NotFound:      "not found",
	Exists:        "exists already",
	InUse:         "in use",
	Gone:          "gone",
	Full:          "full",
	TooLarge:      "too large",
	Invalid:       "invalid",
	WrongLast:     "wrong last offset",
	WrongLastID:   "wrong last id",
	Duplicate:     "duplicate",
	OutOfSequence: "out of sequence",
	Fenced:        "fenced by a newer epoch",
	Unwritable:    "store is read-only",
	NoSpace:       "low on disk",
	Corrupt:       "stored data is damaged",
}

func (c Code) String() string {
	if c > 0 && c < codeEnd {
		return codeText[c]
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Error is core's one error type.
type Error struct {
	Code Code
	// Op is what was being done, Name to what, Want and Got the values at odds.
	Op, Name, Want string
	Got            Offset
	// Durable, for Duplicate: the first copy is on disk.
	Durable bool
	Err     error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Name != "" {
		fmt.Fprintf(&b, " %q", e.Name)
	}
	b.WriteString(": ")
	b.WriteString(e.Code.String())
	if e.Want != "" {
		fmt.Fprintf(&b, ", want %s", e.Want)
	}
	switch e.Code {
	case WrongLast, Duplicate:
		fmt.Fprintf(&b, ", got %d", e.Got)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// readError wraps what storage says about a read.
func readError(name string, err error) error {
	code := Unwritable
	if storage.IsCorrupt(err) {
		code = Corrupt
	}
	return &Error{Code: code, Op: "read", Name: name, Err: err}
}

func (e *Error) Unwrap() error { return e.Err }
