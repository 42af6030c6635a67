package wire

import (
	"bytes"
	"strings"
	"testing"
)

func TestHeader(t *testing.T) {
	h := Header("NATS/1.0\r\nNats-Msg-Id: a\r\nnats-msg-id:  b \r\nEmpty:\r\nNats-Msg-Id: c\r\nX-Nats-Msg-Id: d\r\n\r\n")
	for name, want := range map[string]string{"Nats-Msg-Id": "a", "nats-msg-id": "b", "X-Nats-Msg-Id": "d", "Nats-Msg": "", "Id": ""} {
		if got := string(h.Get(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, ok := h.Lookup("Empty"); !ok {
		t.Error("Empty is absent")
	}
	if _, ok := h.Lookup("Absent"); ok {
		t.Error("Absent is there")
	}
	var names []string
	h.Each(func(n, v []byte) bool { names = append(names, string(n)+"="+string(v)); return true })
	if got := strings.Join(names, " "); got != "Nats-Msg-Id=a nats-msg-id=b Empty= Nats-Msg-Id=c X-Nats-Msg-Id=d" {
		t.Error(got)
	}
	if got := string(h.Set("Empty", []byte("x")).Get("Empty")); got != "x" {
		t.Error(got)
	}
	if got := Header(nil).Set("A", []byte("b")); string(got) != "NATS/1.0\r\nA: b\r\n\r\n" {
		t.Errorf("%q", got)
	}
	if got := h.Set("New", []byte("n")); !bytes.HasSuffix(got, []byte("d\r\nNew: n\r\n\r\n")) {
		t.Errorf("%q", got)
	}
	if got := h.Without(func(n []byte) bool { return string(n) == "Nats-Msg-Id" }); string(got) != "NATS/1.0\r\nnats-msg-id:  b \r\nEmpty:\r\nX-Nats-Msg-Id: d\r\n\r\n" {
		t.Errorf("%q", got)
	}
	if got := h.Without(func([]byte) bool { return true }); got != nil {
		t.Errorf("%q", got)
	}
	if got := h.Without(func([]byte) bool { return false }); &got[0] != &h[0] {
		t.Error("copied for nothing")
	}
}

func TestHeaderStatus(t *testing.T) {
	for in, want := range map[string][2]string{
		"NATS/1.0\r\n\r\n": {}, "": {}, "HTTP/1.1 200\r\n\r\n": {},
		"NATS/1.0 503\r\nA: b\r\n\r\n":       {"503"},
		"NATS/1.0 404 No Messages\r\n\r\n":   {"404", "No Messages"},
		"NATS/1.0  100  Idle Heartbeat \r\n": {"100", "Idle Heartbeat"},
	} {
		if s, d := Header(in).Status(); s != want[0] || d != want[1] {
			t.Errorf("%q: %q %q", in, s, d)
		}
	}
	if got := string(EndHeader(AppendField(AppendHeader(nil, "404", "No Messages"), "A", []byte("b")))); got != "NATS/1.0 404 No Messages\r\nA: b\r\n\r\n" {
		t.Errorf("%q", got)
	}
}

// FuzzHeader checks that no block, however broken, makes a look-up panic, and that
// what Set sets, Get gets.
func FuzzHeader(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\nNats-Msg-Id: a\r\n\r\n"), "Nats-Msg-Id", []byte("x"))
	f.Add([]byte("NATS/1.0 503\r\n\r\n"), "A", []byte(""))
	f.Fuzz(func(t *testing.T, b []byte, name string, value []byte) {
		h := Header(b)
		h.Get(name)
		h.Status()
		h.Each(func(n, v []byte) bool { return true })
		h.Without(func(n []byte) bool { return len(n)%2 == 0 })
		if name == "" || strings.ContainsAny(name, ":\r\n") || bytes.ContainsAny(value, "\r\n \t") {
			return
		}
		if got := h.Set(name, value).Get(name); !bytes.Equal(got, value) {
			t.Fatalf("%q: set %q to %q, got %q", b, name, value, got)
		}
	})
}

func TestEntry(t *testing.T) {
	for _, c := range []struct{ reply, header, payload string }{
		{}, {"", "", "hello"}, {"", "NATS/1.0\r\n\r\n", "x"}, {"_INBOX.a.b", "NATS/1.0\r\nA: b\r\n\r\n", ""}, {"r", "", strings.Repeat("y", 300)},
	} {
		data := AppendEntry(nil, []byte(c.reply), Header(c.header), []byte(c.payload))
		r, h, p, err := SplitEntry(data)
		if err != nil || string(r) != c.reply || string(h) != c.header || string(p) != c.payload {
			t.Errorf("%+v: %q %q %q %v", c, r, h, p, err)
		}
	}
}

// FuzzEntry checks that what decodes encodes to an equal message.
func FuzzEntry(f *testing.F) {
	f.Add(AppendEntry(nil, []byte("_INBOX.a"), Header("NATS/1.0\r\n\r\n"), []byte("hello")))
	f.Add(AppendEntry(nil, nil, nil, []byte("hello")))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, h, p, err := SplitEntry(data)
		if err != nil {
			return
		}
		r2, h2, p2, err := SplitEntry(AppendEntry(nil, r, h, p))
		if err != nil || !bytes.Equal(r, r2) || !bytes.Equal(h, h2) || !bytes.Equal(p, p2) {
			t.Fatalf("%q: %v", data, err)
		}
	})
}

func TestAppendMsg(t *testing.T) {
	m := Msg{Subject: []byte("a.b"), Reply: []byte("r"), Header: Header("NATS/1.0\r\n\r\n"), Payload: []byte("hi")}
	if got := string(AppendMsg(nil, &m, []byte("1"), true)); got != "HMSG a.b 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(AppendMsg(nil, &m, []byte("1"), false)); got != "MSG a.b 1 r 2\r\nhi\r\n" {
		t.Errorf("%q", got)
	}
	c := m.Clone()
	m.Subject[0], m.Payload[0] = 'x', 'x'
	if string(c.Subject) != "a.b" || string(c.Payload) != "hi" || string(c.Header) != "NATS/1.0\r\n\r\n" {
		t.Errorf("clone shares: %q", c)
	}
}
