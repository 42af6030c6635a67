package wire

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzFrames reads whatever comes as a client's stream: it must not panic, and what
// is read must be encoded as it was.
func FuzzFrames(f *testing.F) {
	var session []byte
	session = AppendMethod(session, 0, &ConnectionStartOk{ClientProperties: everyType(), Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"})
	session = AppendMethod(session, 0, &ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 10})
	session = AppendMethod(session, 0, &ConnectionOpen{VHost: "/"})
	session = AppendMethod(session, 1, &ChannelOpen{})
	session = AppendMethod(session, 1, &QueueDeclare{Queue: "q", Durable: true, Arguments: Table(nil).Int("x-max-length", 3)})
	session = AppendMethod(session, 1, &BasicPublish{RoutingKey: "q"})
	p := Properties{Flags: HasHeaders | HasDeliveryMode, Headers: everyType(), DeliveryMode: 2}
	session = AppendHeader(session, 1, 5, p.Append(nil))
	session = AppendBody(session, 1, []byte("hello"), 4096)
	session = AppendHeartbeat(session)
	f.Add(session)
	for name, b := range sessions(f) {
		if strings.HasSuffix(name, ".client") {
			b = b[len(ProtocolHeader):]
		}
		f.Add(b)
	}
	f.Add([]byte{3, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			fr, n, _, err := ParseFrame(b, 131072)
			if err != nil || n == 0 {
				return
			}
			if got := AppendFrame(nil, fr.Type, fr.Channel, fr.Payload); !bytes.Equal(got, b[:n]) {
				t.Fatalf("frame %x became %x", b[:n], got)
			}
			switch fr.Type {
			case FrameMethod:
				fuzzMethod(t, fr)
			case FrameHeader:
				fuzzHeader(t, fr)
			}
			b = b[n:]
		}
	})
}

func fuzzMethod(t *testing.T, fr Frame) {
	m, id, err := ReadMethod(fr.Payload)
	if id == IDPublish {
		if p, perr := ParsePublish(fr.Payload); (perr == nil) != (err == nil) {
			t.Fatalf("publish %x: %+v %v, %v", fr.Payload, p, perr, err)
		}
	}
	if err != nil {
		return
	}
	again, _, _, _ := ParseFrame(AppendMethod(nil, fr.Channel, m), 0)
	m2, _, err := ReadMethod(again.Payload)
	if err != nil || m2.ID() != m.ID() {
		t.Fatalf("%T: %v", m, err)
	}
	if len(again.Payload) != len(fr.Payload) {
		t.Fatalf("%T: %x became %x", m, fr.Payload, again.Payload)
	}
}

func fuzzHeader(t *testing.T, fr Frame) {
	_, _, raw, err := ParseHeader(fr.Payload)
	if err != nil {
		return
	}
	var p Properties
	if p.Parse(raw) != nil {
		return
	}
	if got := p.Append(nil); !bytes.Equal(got, raw) {
		t.Fatalf("properties %x became %x", raw, got)
	}
	if got := rebuild(p.Headers); !bytes.Equal(got, p.Headers) {
		t.Fatalf("headers %x became %x", p.Headers, got)
	}
}
