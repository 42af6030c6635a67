package core

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
	Corrupt
	codeEnd
)

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

func (e *Error) Error() string { panic("core: Error") }
func (e *Error) Unwrap() error { return e.Err }
