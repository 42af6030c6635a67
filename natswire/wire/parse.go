package wire

import "bytes"

// Error is why Parse refuses. Its text is what -ERR says, for those that have one.
type Error string

func (e Error) Error() string { return string(e) }

// The errors of Parse. All of them end the connection.
const (
	ErrUnknown     Error = "Unknown Protocol Operation"
	ErrControlLine Error = "maximum control line exceeded"
	ErrPayload     Error = "Maximum Payload Violation"
	// ErrArgs and ErrHeaders: wrong arguments, and a header that was not
	// negotiated. nats-server closes without telling why.
	ErrArgs    Error = "wire: bad arguments"
	ErrHeaders Error = "wire: message headers not supported"
)

// Limits of a connection.
type Limits struct {
	// ControlLine is the most bytes of a control line's arguments.
	ControlLine int
	// Payload is the most bytes of header block and payload together.
	Payload int
	// Headers allows HPUB.
	Headers bool
}

// lineSlack is how much longer than ControlLine a whole line may be: verb,
// blanks, line end.
const lineSlack = 256

// sizeDigits is the most digits of a number, as in nats-server.
const sizeDigits = 9

// Parse reads the operation at the front of buf into op and returns its length,
// or 0 if more must be read first. What it refuses, and when, is nats-server's:
// an unknown verb at its first wrong byte, a payload that is too large as soon as
// its control line is there. Verbs are case-insensitive; a line ends at \n, with or
// without \r before it; a payload ends with exactly \r\n.
func Parse(buf []byte, lim *Limits, op *Op) (n int, err error) {
	op.Need = 0
	if len(buf) == 0 {
		return 0, nil
	}
	var name string
	var verb Verb
	headers := false
	switch buf[0] | 0x20 {
	case 'p':
		if len(buf) == 1 {
			return 0, nil
		}
		switch buf[1] | 0x20 {
		case 'u':
			name, verb = "pub", Pub
		case 'i':
			name, verb = "ping", Ping
		case 'o':
			name, verb = "pong", Pong
		default:
			return 0, ErrUnknown
		}
	case 'h':
		name, verb, headers = "hpub", Pub, true
	case 's':
		name, verb = "sub", Sub
	case 'u':
		name, verb = "unsub", Unsub
	case 'c':
		name, verb = "connect", Connect
	case 'i':
		name, verb = "info", Info
	default:
		switch buf[0] {
		case '+':
			name, verb = "+ok", OK
		case '-':
			name, verb = "-err", Err
		default:
			return 0, ErrUnknown
		}
	}
	for i := 1; i < len(name); i++ {
		if i == len(buf) {
			return 0, nil
		}
		if buf[i]|0x20 != name[i] {
			return 0, ErrUnknown
		}
	}
	// The argument starts after a run of blanks, which CONNECT and INFO do not
	// need; PING, PONG and +OK ignore the rest of their line.
	rest := buf[len(name):]
	ignored := verb == Ping || verb == Pong || verb == OK
	if !ignored && verb != Connect && verb != Info && len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' {
		return 0, ErrUnknown
	}
	window := rest
	if len(window) > lim.ControlLine+lineSlack {
		window = window[:lim.ControlLine+lineSlack]
	}
	end := bytes.IndexByte(window, '\n')
	if end < 0 {
		if len(window) < len(rest) || len(bytes.TrimLeft(rest, " \t")) > lim.ControlLine && !ignored {
			return 0, ErrControlLine
		}
		return 0, nil
	}
	op.Verb = verb
	n = len(name) + end + 1
	if ignored {
		return n, nil
	}
	arg := rest[:end]
	for len(arg) > 0 && (arg[0] == ' ' || arg[0] == '\t') {
		arg = arg[1:]
	}
	if len(arg) > 0 && arg[len(arg)-1] == '\r' {
		arg = arg[:len(arg)-1]
	}
	if len(arg) > lim.ControlLine {
		return 0, ErrControlLine
	}
	switch verb {
	case Pub:
		return publish(buf, n, arg, headers, lim, op)
	case Sub:
		return n, subscribe(arg, op)
	case Unsub:
		return n, unsubscribe(arg, op)
	default:
		op.Arg = arg
		return n, nil
	}
}

// publish completes a PUB or HPUB whose control line ends at n.
func publish(buf []byte, n int, arg []byte, headers bool, lim *Limits, op *Op) (int, error) {
	if headers && !lim.Headers {
		return 0, ErrHeaders
	}
	var a [5][]byte
	args := fields(arg, a[:0])
	sizes := 1
	if headers {
		sizes = 2
	}
	if len(args) != sizes+1 && len(args) != sizes+2 {
		return 0, ErrArgs
	}
	op.Subject, op.Reply = args[0], nil
	if len(args) == sizes+2 {
		op.Reply = args[1]
	}
	size := number(args[len(args)-1])
	hlen := 0
	if headers {
		hlen = number(args[len(args)-2])
	}
	if hlen < 0 || size < 0 || hlen > size {
		return 0, ErrArgs
	}
	if size > lim.Payload {
		return 0, ErrPayload
	}
	end := n + size
	if len(buf) < end+2 {
		// A wrong byte where the payload must end is an error at once.
		if len(buf) == end+1 && buf[end] != '\r' {
			return 0, ErrUnknown
		}
		op.Need = end + 2
		return 0, nil
	}
	if buf[end] != '\r' || buf[end+1] != '\n' {
		return 0, ErrUnknown
	}
	op.Header = nil
	if hlen > 0 {
		op.Header = Header(buf[n : n+hlen : n+hlen])
	}
	op.Payload = buf[n+hlen : end : end]
	return end + 2, nil
}

func subscribe(arg []byte, op *Op) error {
	var a [4][]byte
	switch args := fields(arg, a[:0]); len(args) {
	case 2:
		op.Subject, op.Queue, op.Sid = args[0], nil, args[1]
	case 3:
		op.Subject, op.Queue, op.Sid = args[0], args[1], args[2]
	default:
		return ErrArgs
	}
	return nil
}

func unsubscribe(arg []byte, op *Op) error {
	var a [3][]byte
	switch args := fields(arg, a[:0]); len(args) {
	case 1:
		op.Sid, op.Max = args[0], 0
	case 2:
		// A number that is none means: at once.
		op.Sid, op.Max = args[0], max(number(args[1]), 0)
	default:
		return ErrArgs
	}
	return nil
}

// fields appends the words of b to dst until dst is full; a full dst means too many for
// every verb.
func fields(b []byte, dst [][]byte) [][]byte {
	start := -1
	for i, c := range b {
		if c == ' ' || c == '\t' || c == '\r' {
			if start >= 0 {
				if dst = append(dst, b[start:i:i]); len(dst) == cap(dst) {
					return dst
				}
				start = -1
			}
		} else if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		dst = append(dst, b[start:len(b):len(b)])
	}
	return dst
}

// number reads a decimal number, -1 if it is none.
func number(b []byte) int {
	if len(b) == 0 || len(b) > sizeDigits {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
