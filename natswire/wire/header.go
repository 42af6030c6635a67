package wire

import "bytes"

// HeaderLine opens every header block, followed by an optional status and
// description.
const HeaderLine = "NATS/1.0"

// headerStart is the first line of a block without status.
const headerStart = HeaderLine + "\r\n"

// Header is a header block, byte for byte. The zero value has no fields.
//
//	NATS/1.0[ status[ description]]\r\n
//	Name: value\r\n ...
//	\r\n
type Header []byte

// line cuts the next line off b. A line ends at \r\n.
func line(b []byte) (l, rest []byte) {
	i := bytes.Index(b, crlf)
	if i < 0 {
		return b, nil
	}
	return b[:i], b[i+2:]
}

// field cuts a line into name and value; ok is false if it has no colon.
func field(l []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(l, ':')
	if i <= 0 {
		return nil, nil, false
	}
	return l[:i], bytes.Trim(l[i+1:], " \t"), true
}

// Get returns the value of the first field with exactly this name, as a slice of the
// block with the blanks around it cut off, or nil if there is none. An empty value
// is not nil.
func (h Header) Get(name string) []byte {
	v, _ := h.Lookup(name)
	return v
}

// Lookup is Get that tells an absent field apart from an empty one.
func (h Header) Lookup(name string) (value []byte, ok bool) {
	if len(h) == 0 {
		return nil, false
	}
	_, rest := line(h)
	for len(rest) > 0 {
		// The name must stand at the start of a line and be followed by the colon.
		if len(rest) > len(name) && rest[len(name)] == ':' && string(rest[:len(name)]) == name {
			l, _ := line(rest)
			return bytes.Trim(l[len(name)+1:], " \t"), true
		}
		_, rest = line(rest)
	}
	return nil, false
}

// Each calls f for each field in order until f returns false. Lines without a
// colon are skipped.
func (h Header) Each(f func(name, value []byte) bool) {
	if len(h) == 0 {
		return
	}
	_, rest := line(h)
	for len(rest) > 0 {
		var l []byte
		l, rest = line(rest)
		if name, value, ok := field(l); ok && !f(name, value) {
			return
		}
	}
}

// Status returns the status of the first line and its description, "" if there
// is none.
func (h Header) Status() (status, description string) {
	l, _ := line(h)
	if !bytes.HasPrefix(l, []byte(HeaderLine)) {
		return "", ""
	}
	l = bytes.TrimSpace(l[len(HeaderLine):])
	if i := bytes.IndexByte(l, ' '); i >= 0 {
		return string(l[:i]), string(bytes.TrimSpace(l[i+1:]))
	}
	return string(l), ""
}

// AppendHeader opens a block in dst; status may be "". Fields follow with
// AppendField, and EndHeader closes it.
func AppendHeader(dst []byte, status, description string) []byte {
	dst = append(dst, HeaderLine...)
	if status != "" {
		dst = append(append(dst, ' '), status...)
		if description != "" {
			dst = append(append(dst, ' '), description...)
		}
	}
	return append(dst, crlf...)
}

// AppendField adds a field to an open block.
func AppendField(dst []byte, name string, value []byte) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), crlf...)
}

// EndHeader closes a block.
func EndHeader(dst []byte) []byte { return append(dst, crlf...) }

// Set returns a new block in which the first field of that name has this value; it is
// added at the end if there is none. A nil block becomes one.
func (h Header) Set(name string, value []byte) Header {
	out := make([]byte, 0, len(h)+len(headerStart)+len(name)+len(value)+6)
	if len(h) == 0 {
		return EndHeader(AppendField(append(out, headerStart...), name, value))
	}
	l, rest := line(h)
	out = append(append(out, l...), crlf...)
	done := false
	for len(rest) > 0 {
		l, rest = line(rest)
		if len(l) == 0 {
			continue
		}
		if n, _, ok := field(l); ok && !done && string(n) == name {
			out, done = AppendField(out, name, value), true
			continue
		}
		out = append(append(out, l...), crlf...)
	}
	if !done {
		out = AppendField(out, name, value)
	}
	return EndHeader(out)
}

// Without returns the block without the fields for which drop says true, h itself if there
// are none of them, and nil if no field remains.
func (h Header) Without(drop func(name []byte) bool) Header {
	any, left := false, false
	h.Each(func(n, _ []byte) bool {
		if drop(n) {
			any = true
		} else {
			left = true
		}
		return true
	})
	if !any {
		return h
	}
	if !left {
		return nil
	}
	out := make([]byte, 0, len(h))
	l, rest := line(h)
	out = append(append(out, l...), crlf...)
	for len(rest) > 0 {
		l, rest = line(rest)
		if len(l) == 0 {
			continue
		}
		if n, _, ok := field(l); ok && drop(n) {
			continue
		}
		out = append(append(out, l...), crlf...)
	}
	return EndHeader(out)
}
