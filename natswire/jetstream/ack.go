package jetstream

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

const (
	ackPrefix  = "$JS.ACK."
	flowPrefix = "$JS.FC."
)

// ackInfo is what an ack subject says:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
//
// or, in nats-server's second form, with <domain>.<account hash> before the
// stream and possibly more words at the end.
type ackInfo struct {
	// key is "stream.consumer".
	key                               []byte
	delivered, streamSeq, consumerSeq uint64
}

// alone is n without what aliases the subject.
func (n ackInfo) alone() ackInfo {
	n.key = nil
	return n
}

// parseAck reads an ack subject without allocating.
func parseAck(subject []byte) (n ackInfo, ok bool) {
	if !bytes.HasPrefix(subject, []byte(ackPrefix)) {
		return n, false
	}
	rest := subject[len(ackPrefix):]
	if total := bytes.Count(rest, []byte{'.'}) + 1; total >= 9 {
		for range 2 {
			rest = rest[bytes.IndexByte(rest, '.')+1:]
		}
	} else if total != 7 {
		return n, false
	}
	i := bytes.IndexByte(rest, '.')
	i += 1 + bytes.IndexByte(rest[i+1:], '.')
	n.key, rest = rest[:i], rest[i+1:]
	for _, to := range []*uint64{&n.delivered, &n.streamSeq, &n.consumerSeq} {
		j := bytes.IndexByte(rest, '.')
		if j < 0 {
			return n, false
		}
		if *to, ok = parseUint(rest[:j]); !ok {
			return n, false
		}
		rest = rest[j+1:]
	}
	return n, n.streamSeq > 0
}

func parseUint(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// appendAck appends an ack subject to prefix, which ends with the consumer and a dot.
func appendAck(dst, prefix []byte, delivered, streamSeq, consumerSeq uint64, nanos int64, pending uint64) []byte {
	dst = append(dst, prefix...)
	dst = append(strconv.AppendUint(dst, delivered, 10), '.')
	dst = append(strconv.AppendUint(dst, streamSeq, 10), '.')
	dst = append(strconv.AppendUint(dst, consumerSeq, 10), '.')
	dst = append(strconv.AppendInt(dst, nanos, 10), '.')
	return strconv.AppendUint(dst, pending, 10)
}

// verb is what a client answers to a message.
type verb uint8

const (
	unknownVerb verb = iota
	ackVerb
	nakVerb
	progressVerb
	nextVerb
	termVerb
)

// parseVerb reads the body of an ack and what follows the verb.
func parseVerb(body []byte) (v verb, arg []byte) {
	switch {
	case len(body) == 0, string(body) == "+ACK", string(body) == "+OK":
		return ackVerb, nil
	case bytes.HasPrefix(body, []byte("+NXT")):
		return nextVerb, body[4:]
	case bytes.HasPrefix(body, []byte("-NAK")):
		return nakVerb, bytes.TrimSpace(body[4:])
	case string(body) == "+WPI":
		return progressVerb, nil
	case bytes.HasPrefix(body, []byte("+TERM")):
		return termVerb, bytes.TrimSpace(body[5:])
	}
	return unknownVerb, nil
}

// nakDelay reads the delay of a nak: {"delay":ns} or a duration; anything else is none.
func nakDelay(arg []byte) time.Duration {
	if len(arg) == 0 {
		return 0
	}
	if arg[0] == '{' {
		var o struct {
			Delay time.Duration `json:"delay"`
		}
		if json.Unmarshal(arg, &o) != nil {
			return 0
		}
		return max(o.Delay, 0)
	}
	d, err := time.ParseDuration(string(arg))
	if err != nil {
		return 0
	}
	return max(d, 0)
}
