package jetstream

import (
	"testing"

	"trivium/natswire/wire"
)

func TestParseHeaders(t *testing.T) {
	p := parseHeaders(wire.Header("NATS/1.0\r\nNats-Msg-Id: a\r\nNats-Msg-Id: b\r\nnats-rollup: all\r\n" +
		"X-Nats-Rollup: all\r\nNats-Expected-Last-Sequence: 12\r\nNats-Expected-Last-Subject-Sequence:0\r\n" +
		"Nats-Expected-Stream:  S\r\nNats-TTL: never\r\n\r\n"))
	if string(p.id) != "a" || string(p.stream) != "S" || string(p.ttl) != "never" || p.rollup != nil {
		t.Errorf("%+v", p)
	}
	if p.last != (seqField{true, 12}) || p.lastSubject != (seqField{true, 0}) {
		t.Errorf("%+v %+v", p.last, p.lastSubject)
	}
	if p := parseHeaders(wire.Header("NATS/1.0\r\nNats-Expected-Last-Sequence: x\r\n\r\n")); !p.last.set || p.last.seq == 0 {
		t.Errorf("a sequence that is no number must match none: %+v", p.last)
	}
}

func TestParseTTL(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want int64
		ok   bool
	}{{"1", 1, true}, {"1h", 3600, true}, {"never", -1, true}, {"Never", -1, true}, {"500ms", 0, false}, {"x", 0, false}, {"-1", 0, false}} {
		got, ok := parseTTL([]byte(tt.in))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseTTL(%q) = %d, %v", tt.in, got, ok)
		}
	}
}

func FuzzParseHeaders(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\nNats-Msg-Id: a\r\nNats-Expected-Last-Sequence: 12\r\n\r\n"))
	f.Add([]byte("NATS/1.0 503\r\n\r\n"))
	f.Fuzz(func(t *testing.T, h []byte) {
		p := parseHeaders(h)
		for _, v := range [][]byte{p.id, p.stream, p.lastID, p.ttl, p.rollup, p.lastSubjectFilter} {
			if len(v) > len(h) {
				t.Errorf("a value longer than its block")
			}
		}
	})
}

// FuzzFast checks that no reply subject makes the parser of fast batches panic, and that
// what it takes is within bounds.
func FuzzFast(f *testing.F) {
	f.Add([]byte("_INBOX.abc.uuid.500.ok.1.0.$FI"))
	f.Add([]byte("_INBOX.abc.uuid.0.fail.2.4.$FI"))
	f.Add([]byte(".$FI"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		x, fast, ok := parseFast(reply)
		if ok && (!fast || x.id == "" || x.seq == 0 || x.flow == 0 || x.op > fastPing) {
			t.Fatalf("%q: %+v", reply, x)
		}
	})
}
