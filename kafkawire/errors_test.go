package kafkawire

import (
	"errors"
	"strings"
	"testing"

	"trivium/core"
)

// Every code of core has one of Kafka's, and an error that is not core's is a
// storage error.
func TestCodes(t *testing.T) {
	n := 0
	for c := core.Code(1); !strings.HasPrefix(c.String(), "code "); c++ {
		n++
		if _, ok := codes[c]; !ok {
			t.Errorf("no code for %q", c)
		}
	}
	if n != len(codes) {
		t.Errorf("%d codes for %d of core", len(codes), n)
	}
	if code(nil) != errNone || code(errors.New("x")) != errStorage || code(&core.Error{Code: core.Fenced}) != errFenced {
		t.Error("codes are mixed up")
	}
}
