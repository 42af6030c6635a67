package jetstream

import (
	"testing"
	"time"
)

func TestParseAck(t *testing.T) {
	for _, tt := range []struct {
		subject, key string
		want         ackInfo
		ok           bool
	}{
		{"$JS.ACK.S.C.1.22.333.1700000000000000000.4", "S.C", ackInfo{delivered: 1, streamSeq: 22, consumerSeq: 333}, true},
		{"$JS.ACK._.hash.S.C.2.22.333.1700000000000000000.4", "S.C", ackInfo{delivered: 2, streamSeq: 22, consumerSeq: 333}, true},
		{"$JS.ACK.hub.hash.S.C.2.22.333.1700000000000000000.4.x.y", "S.C", ackInfo{delivered: 2, streamSeq: 22, consumerSeq: 333}, true},
		{"$JS.ACK.S.C.1.0.333.17.4", "", ackInfo{}, false},
		{"$JS.ACK.S.C.1.22.333.17", "", ackInfo{}, false},
		{"$JS.ACK.S.C.1.22.333.17.4.5", "", ackInfo{}, false},
		{"$JS.ACK.S.C.x.22.333.17.4", "", ackInfo{}, false},
		{"$JS.ACK.", "", ackInfo{}, false},
		{"$JS.ACK.......", "", ackInfo{}, false},
	} {
		got, ok := parseAck([]byte(tt.subject))
		if ok != tt.ok {
			t.Errorf("parseAck(%q) = %v, want %v", tt.subject, ok, tt.ok)
			continue
		}
		if !ok {
			continue
		}
		if string(got.key) != tt.key {
			t.Errorf("parseAck(%q): key %q, want %q", tt.subject, got.key, tt.key)
		}
		got.key = nil
		if got.delivered != tt.want.delivered || got.streamSeq != tt.want.streamSeq || got.consumerSeq != tt.want.consumerSeq {
			t.Errorf("parseAck(%q) = %+v, want %+v", tt.subject, got, tt.want)
		}
	}
}

func TestAckSubjectRoundTrip(t *testing.T) {
	s := appendAck(nil, []byte("$JS.ACK.S.C."), 3, 17, 21, 1700000000000000001, 5)
	if want := "$JS.ACK.S.C.3.17.21.1700000000000000001.5"; string(s) != want {
		t.Fatalf("%s, want %s", s, want)
	}
	n, ok := parseAck(s)
	if !ok || string(n.key) != "S.C" || n.delivered != 3 || n.streamSeq != 17 || n.consumerSeq != 21 {
		t.Fatalf("%+v, %v", n, ok)
	}
	if allocs := testing.AllocsPerRun(100, func() { parseAck(s) }); allocs != 0 {
		t.Errorf("parseAck allocates %v times", allocs)
	}
}

func TestParseVerb(t *testing.T) {
	for _, tt := range []struct {
		body string
		v    verb
		arg  string
	}{
		{"", ackVerb, ""}, {"+ACK", ackVerb, ""}, {"+OK", ackVerb, ""}, {"+ACK ", unknownVerb, ""},
		{"+NXT", nextVerb, ""}, {"+NXT 5", nextVerb, " 5"}, {`+NXT {"batch":2}`, nextVerb, ` {"batch":2}`},
		{"-NAK", nakVerb, ""}, {"-NAK 5s", nakVerb, "5s"}, {`-NAK {"delay":1}`, nakVerb, `{"delay":1}`},
		{"+WPI", progressVerb, ""}, {"+TERM", termVerb, ""}, {"+TERM no use", termVerb, "no use"}, {"what", unknownVerb, ""},
	} {
		v, arg := parseVerb([]byte(tt.body))
		if v != tt.v || string(arg) != tt.arg {
			t.Errorf("parseVerb(%q) = %v, %q; want %v, %q", tt.body, v, arg, tt.v, tt.arg)
		}
	}
}

func TestNakDelay(t *testing.T) {
	for arg, want := range map[string]time.Duration{
		"": 0, "5s": 5 * time.Second, `{"delay": 1000000}`: time.Millisecond, "x": 0, "{": 0, "-3s": 0,
	} {
		if got := nakDelay([]byte(arg)); got != want {
			t.Errorf("nakDelay(%q) = %v, want %v", arg, got, want)
		}
	}
}

func FuzzParseAck(f *testing.F) {
	f.Add([]byte("$JS.ACK.S.C.1.22.333.1700000000000000000.4"))
	f.Add([]byte("$JS.ACK._.hash.S.C.2.22.333.1700000000000000000.4"))
	f.Fuzz(func(t *testing.T, subject []byte) {
		n, ok := parseAck(subject)
		if ok && (len(n.key) < 1 || n.streamSeq == 0) {
			t.Errorf("parseAck(%q) = %+v", subject, n)
		}
		v, _ := parseVerb(subject)
		if v == nakVerb {
			nakDelay(subject[4:])
		}
	})
}
