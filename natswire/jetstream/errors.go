package jetstream

import (
	"errors"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// refusal maps why core refused to append to what a publisher is told. A duplicate is no
// refusal: its sequence is the first copy's.
func (s *stream) refusal(err error, cfg *server.StreamConfig) (seq uint64, dup bool, refused *server.ApiError) {
	var e *core.Error
	if !errors.As(err, &e) {
		return 0, false, server.NewJSStreamStoreFailedError(err)
	}
	switch e.Code {
	case core.Duplicate:
		return seqOf(e.Got), true, nil
	case core.WrongLast:
		return 0, false, server.NewJSStreamWrongLastSequenceError(seqOf(e.Got))
	case core.WrongLastID:
		return 0, false, server.NewJSStreamWrongLastMsgIDError(e.Want)
	case core.TooLarge:
		return 0, false, server.NewJSStreamMessageExceedsMaximumError()
	case core.Full:
		return 0, false, server.NewJSStreamStoreFailedError(fullText(e, cfg))
	}
	return 0, false, server.NewJSStreamStoreFailedError(err)
}

// low reports whether nothing more should be stored because the disk is nearly full. A store that is read-only refuses
// by itself.
func (e *Engine) low(st server.StorageType) bool {
	if st != server.FileStorage {
		return false
	}
	err := e.broker.Alarm()
	if err == nil {
		return false
	}
	var ce *core.Error
	return errors.As(err, &ce) && ce.Code == core.NoSpace
}

// fullText is nats-server's word for the limit that was reached.
func fullText(e *core.Error, cfg *server.StreamConfig) error {
	switch e.Want {
	case "messages":
		return server.ErrMaxMsgs
	case "bytes":
		return server.ErrMaxBytes
	case "messages per key":
		return server.ErrMaxMsgsPerSubject
	}
	return e
}
