//go:build !linux

package kafkawire

import (
	"errors"
	"syscall"
)

const canSendfile = false

func cork(syscall.RawConn, int) {}

func (o *output) sendfile(syscall.RawConn, []item) error { return errors.ErrUnsupported }
