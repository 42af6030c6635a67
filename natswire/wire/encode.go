package wire

import "strconv"

var crlf = []byte("\r\n")

// What a server says, and clients may, that has no arguments.
var (
	PingLine = []byte("PING\r\n")
	PongLine = []byte("PONG\r\n")
	OKLine   = []byte("+OK\r\n")
)

// AppendInfo appends INFO with the server's JSON, and the blank after it that
// nats-server sends too.
func AppendInfo(dst, json []byte) []byte {
	dst = append(dst, "INFO "...)
	return append(append(dst, json...), " \r\n"...)
}

// AppendErr appends -ERR with a text.
func AppendErr(dst []byte, text string) []byte {
	dst = append(dst, "-ERR '"...)
	return append(append(dst, text...), "'\r\n"...)
}

// AppendMsgLine appends the control line of a delivery: MSG, or HMSG if hlen > 0. size
// counts header block and payload.
func AppendMsgLine(dst, subject, sid, reply []byte, hlen, size int) []byte {
	if hlen > 0 {
		dst = append(dst, "HMSG "...)
	} else {
		dst = append(dst, "MSG "...)
	}
	dst = append(append(dst, subject...), ' ')
	dst = append(append(dst, sid...), ' ')
	if len(reply) > 0 {
		dst = append(append(dst, reply...), ' ')
	}
	if hlen > 0 {
		dst = append(strconv.AppendInt(dst, int64(hlen), 10), ' ')
	}
	return append(strconv.AppendInt(dst, int64(size), 10), crlf...)
}

// AppendMsg appends a whole delivery. A reader without headers gets the payload only.
func AppendMsg(dst []byte, m *Msg, sid []byte, headers bool) []byte {
	return AppendMsgEnd(append(AppendMsgHead(dst, m, sid, headers), m.Payload...))
}

// AppendMsgHead appends what comes before the payload of a delivery, AppendMsgEnd what comes after it.
func AppendMsgHead(dst []byte, m *Msg, sid []byte, headers bool) []byte {
	h := m.Header
	if !headers {
		h = nil
	}
	dst = AppendMsgLine(dst, m.Subject, sid, m.Reply, len(h), len(h)+len(m.Payload))
	return append(dst, h...)
}

func AppendMsgEnd(dst []byte) []byte { return append(dst, crlf...) }
