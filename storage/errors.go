package storage

import "errors"

// ErrReadOnly is wrapped by every refusal after a failed write.
var ErrReadOnly = errors.New("storage: read-only after a failed write")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("storage: closed")

// CorruptError reports stored bytes that are not what was written.
type CorruptError struct {
	Where string // file and position
	Why   string
}

func (e *CorruptError) Error() string { return "storage: corrupt: " + e.Where + ": " + e.Why }

// IsCorrupt reports whether err says that stored bytes are damaged.
func IsCorrupt(err error) bool {
	if err == nil {
		return false // as a rule, and without an allocation
	}
	var c *CorruptError
	return errors.As(err, &c)
}
