package main

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// size is the value of a flag that counts bytes: 1000000, 50MB, 256MiB.
type size int64

func (s size) String() string { return humanize.IBytes(uint64(s)) }

// Set is called by the flag's parser.
func (s *size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("%q is no number of bytes, like 50MB or 1GiB", text)
	}
	*s = size(n)
	return nil
}

// Type names the value in messages.
func (s *size) Type() string { return "size" }
