package amqp

import (
	"errors"
	"fmt"
	"strings"

	"trivium/amqp/wire"
	"trivium/core"
)

// Reply codes.
const (
	codeSuccess            = 200
	codeNoRoute            = 312
	codeConnectionForced   = 320
	codeAccessRefused      = 403
	codeNotFound           = 404
	codeResourceLocked     = 405
	codePreconditionFailed = 406
	codeFrameError         = 501
	codeSyntaxError        = 502
	codeCommandInvalid     = 503
	codeChannelError       = 504
	codeUnexpectedFrame    = 505
	codeResourceError      = 506
	codeNotAllowed         = 530
	codeNotImplemented     = 540
	codeInternalError      = 541
)

// codes gives each reply code its name, and says whether it ends the connection or just the channel.
var codes = map[uint16]struct {
	name string
	hard bool
}{
	codeNoRoute:            {"NO_ROUTE", false},
	codeConnectionForced:   {"CONNECTION_FORCED", true},
	codeAccessRefused:      {"ACCESS_REFUSED", false},
	codeNotFound:           {"NOT_FOUND", false},
	codeResourceLocked:     {"RESOURCE_LOCKED", false},
	codePreconditionFailed: {"PRECONDITION_FAILED", false},
	codeFrameError:         {"FRAME_ERROR", true},
	codeSyntaxError:        {"SYNTAX_ERROR", true},
	codeCommandInvalid:     {"COMMAND_INVALID", true},
	codeChannelError:       {"CHANNEL_ERROR", true},
	codeUnexpectedFrame:    {"UNEXPECTED_FRAME", true},
	codeResourceError:      {"RESOURCE_ERROR", true},
	codeNotAllowed:         {"NOT_ALLOWED", true},
	codeNotImplemented:     {"NOT_IMPLEMENTED", true},
	codeInternalError:      {"INTERNAL_ERROR", true},
}

// maxText is the longest reply text.
const maxText = 255

// refusal is a protocol error: it closes the channel, or the connection if its
// code is a hard one.
type refusal struct {
	code uint16
	text string
}

func (r *refusal) Error() string { return r.reply() }

// reply is the text that a client sees.
func (r *refusal) reply() string {
	s := strings.ToValidUTF8(codes[r.code].name+" - "+r.text, "?")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

func (r *refusal) hard() bool { return codes[r.code].hard }

func refuse(code uint16, format string, args ...any) *refusal {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// queueIn and exchangeIn name things as RabbitMQ's texts do.
func queueIn(name, vhost string) string { return fmt.Sprintf("queue '%s' in vhost '%s'", name, vhost) }
func exchangeIn(name, vhost string) string {
	return fmt.Sprintf("exchange '%s' in vhost '%s'", name, vhost)
}

// coreCodes maps core's codes to reply codes.
var coreCodes = map[core.Code]uint16{
	core.NotFound:      codeNotFound,
	core.Exists:        codePreconditionFailed,
	core.InUse:         codeAccessRefused,
	core.Gone:          codeNotFound,
	core.Full:          codePreconditionFailed,
	core.TooLarge:      codePreconditionFailed,
	core.Invalid:       codePreconditionFailed,
	core.WrongLast:     codePreconditionFailed,
	core.WrongLastID:   codePreconditionFailed,
	core.Duplicate:     codePreconditionFailed,
	core.OutOfSequence: codePreconditionFailed,
	core.Fenced:        codePreconditionFailed,
	core.Unwritable:    codeInternalError,
	core.NoSpace:       codeResourceError,
	core.Corrupt:       codeInternalError,
}

// asRefusal makes a refusal of any error.
func asRefusal(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	var fe *wire.FrameError
	if errors.As(err, &fe) {
		return refuse(codeFrameError, "%s", fe)
	}
	var se *wire.SyntaxError
	if errors.As(err, &se) {
		return refuse(codeSyntaxError, "%s", se)
	}
	var ue *wire.UnknownMethodError
	if errors.As(err, &ue) {
		return refuse(codeCommandInvalid, "%s", ue)
	}
	var ce *core.Error
	if errors.As(err, &ce) {
		if code, ok := coreCodes[ce.Code]; ok {
			return refuse(code, "%s", ce)
		}
	}
	return refuse(codeInternalError, "%s", err)
}
