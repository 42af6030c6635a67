package amqp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// raw is a client that may send anything.
type raw struct {
	t    *testing.T
	conn net.Conn
	buf  []byte
}

func (b *broker) raw(t *testing.T) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &raw{t: t, conn: conn}
}

func (r *raw) write(b ...byte) { _, _ = r.conn.Write(b) }

func (r *raw) send(channel uint16, ms ...wire.Method) {
	for _, m := range ms {
		r.write(wire.AppendMethod(nil, channel, m)...)
	}
}

// frame reads the next frame; false at the end of the connection.
func (r *raw) frame() (wire.Frame, bool) {
	r.t.Helper()
	for {
		f, n, _, err := wire.ParseFrame(r.buf, 0)
		if err != nil {
			r.t.Fatalf("the server sent %v", err)
		}
		if n > 0 {
			f.Payload = bytes.Clone(f.Payload)
			r.buf = r.buf[n:]
			return f, true
		}
		var b [4096]byte
		n, err = r.conn.Read(b[:])
		r.buf = append(r.buf, b[:n]...)
		if n == 0 && err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				r.t.Fatal("the server says nothing")
			}
			return wire.Frame{}, false
		}
	}
}

// bodies passes over frames until that many octets of bodies came.
func (r *raw) bodies(octets int) {
	r.t.Helper()
	for octets > 0 {
		f, ok := r.frame()
		if !ok {
			r.t.Fatalf("closed with %d octets to come", octets)
		}
		if f.Type == wire.FrameBody {
			octets -= len(f.Payload)
		}
	}
}

// method reads frames until a method comes; nil at the end.
func (r *raw) method() wire.Method {
	r.t.Helper()
	for {
		f, ok := r.frame()
		if !ok {
			return nil
		}
		if f.Type == wire.FrameMethod {
			m, _, err := wire.ReadMethod(f.Payload)
			if err != nil {
				r.t.Fatal(err)
			}
			return m
		}
	}
}

// ending says how the server ended the connection.
func (r *raw) ending() string {
	r.t.Helper()
	for {
		switch m := r.method().(type) {
		case nil:
			return "closed"
		case *wire.ConnectionClose:
			r.send(0, &wire.ConnectionCloseOk{})
			if r.method() != nil {
				r.t.Error("something comes after close-ok")
			}
			return fmt.Sprintf("connection %s (%d.%d)", m.ReplyText, m.ClassID, m.MethodID)
		case *wire.ChannelClose:
			return fmt.Sprintf("channel %s (%d.%d)", m.ReplyText, m.ClassID, m.MethodID)
		}
	}
}

var clientCaps = wire.Table(nil).Table("capabilities", wire.Table(nil).Bool("authentication_failure_close", true).Bool("consumer_cancel_notify", true))

func login(user, password string) *wire.ConnectionStartOk {
	return &wire.ConnectionStartOk{ClientProperties: clientCaps, Mechanism: "PLAIN", Response: []byte("\x00" + user + "\x00" + password), Locale: "en_US"}
}

// tuned logs in.
func (r *raw) tuned() *raw {
	r.t.Helper()
	r.write(wire.ProtocolHeader[:]...)
	if m, ok := r.method().(*wire.ConnectionStart); !ok {
		r.t.Fatalf("got %T", m)
	}
	r.send(0, login("guest", "guest"))
	if m, ok := r.method().(*wire.ConnectionTune); !ok {
		r.t.Fatalf("got %T", m)
	}
	return r
}

// open opens the connection and channel 1.
func (r *raw) open() *raw {
	r.t.Helper()
	// Together, as some clients do.
	r.tuned().send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: frameMinSize, Heartbeat: 0}, &wire.ConnectionOpen{VHost: "/"})
	if m, ok := r.method().(*wire.ConnectionOpenOk); !ok {
		r.t.Fatalf("got %T", m)
	}
	r.send(1, &wire.ChannelOpen{})
	if m, ok := r.method().(*wire.ChannelOpenOk); !ok {
		r.t.Fatalf("got %T", m)
	}
	return r
}

func TestStart(t *testing.T) {
	b := serve(t, Options{})
	r := b.raw(t)
	r.write(wire.ProtocolHeader[:]...)
	m, ok := r.method().(*wire.ConnectionStart)
	if !ok || m.VersionMajor != 0 || m.VersionMinor != 9 || string(m.Mechanisms) != "PLAIN AMQPLAIN ANONYMOUS" || string(m.Locales) != "en_US" {
		t.Fatalf("%+v", m)
	}
	equal(t, "product", textField(m.ServerProperties, "product"), "RabbitMQ")
	if !strings.HasPrefix(textField(m.ServerProperties, "version"), "4.2.") {
		t.Error("version")
	}
	caps, _ := m.ServerProperties.Lookup("capabilities")
	n := 0
	table, _ := caps.Table()
	table.Each(func(_ []byte, v wire.Value) bool {
		if ok, _ := v.Bool(); ok {
			n++
		}
		return true
	})
	equal(t, "capabilities", n, 9)
	r.send(0, login("guest", "guest"))
	tune, ok := r.method().(*wire.ConnectionTune)
	if !ok || tune.ChannelMax != 2047 || tune.FrameMax != 131072 || tune.Heartbeat != 60 {
		t.Errorf("%+v", tune)
	}
}

func TestWrongProtocolHeader(t *testing.T) {
	b := serve(t, Options{})
	for _, hello := range []string{"AMQP\x00\x00\x09\x02", "AMQP\x00\x01\x00\x00", "GET / HT", "\x16\x03\x01\x00\xa5\x01\x00\x00"} {
		r := b.raw(t)
		r.write([]byte(hello)...)
		got, err := io.ReadAll(r.conn)
		if err != nil || string(got) != "AMQP\x00\x00\x09\x01" {
			t.Errorf("%q: %q, %v", hello, got, err)
		}
	}
	r := b.raw(t)
	r.write([]byte("AMQP\x01\x01\x00\x09")...)
	if _, ok := r.method().(*wire.ConnectionStart); !ok {
		t.Error("the header of 0-9 is refused")
	}
}

func TestLogin(t *testing.T) {
	b := serve(t, Options{RefusalDelay: 10 * time.Millisecond})
	plain := wire.Table(nil).Str("LOGIN", "guest").Str("PASSWORD", "guest")
	for _, c := range []struct {
		name string
		m    *wire.ConnectionStartOk
		want string
	}{
		{"PLAIN", login("guest", "guest"), ""},
		{"AMQPLAIN", &wire.ConnectionStartOk{Mechanism: "AMQPLAIN", Response: plain}, ""},
		{"ANONYMOUS", &wire.ConnectionStartOk{Mechanism: "ANONYMOUS"}, ""},
		{"wrong password", login("guest", "nix"), "connection ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile. (10.11)"},
		{"no such user", login("nobody", "guest"), "connection ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile. (10.11)"},
		{"client that is not told", &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00nix")}, "closed"},
		{"unknown mechanism", &wire.ConnectionStartOk{ClientProperties: clientCaps, Mechanism: "EXTERNAL"}, "closed"},
		{"malformed response", &wire.ConnectionStartOk{ClientProperties: clientCaps, Mechanism: "PLAIN", Response: []byte("guest")}, "closed"},
		{"AMQPLAIN without password", &wire.ConnectionStartOk{ClientProperties: clientCaps, Mechanism: "AMQPLAIN", Response: wire.Table(nil).Str("LOGIN", "guest")}, "closed"},
	} {
		r := b.raw(t)
		r.write(wire.ProtocolHeader[:]...)
		r.method()
		r.send(0, c.m)
		if c.want != "" {
			equal(t, c.name, r.ending(), c.want)
		} else if _, ok := r.method().(*wire.ConnectionTune); !ok {
			t.Errorf("%s is refused", c.name)
		}
	}
}

func TestTune(t *testing.T) {
	b := serve(t, Options{})
	for _, c := range []struct {
		ok   wire.ConnectionTuneOk
		want string
	}{
		{wire.ConnectionTuneOk{ChannelMax: 2048, FrameMax: 131072}, "connection NOT_ALLOWED - negotiated channel_max = 2048 is higher than the maximum allowed value (2047) (10.31)"},
		{wire.ConnectionTuneOk{ChannelMax: 0, FrameMax: 131072}, "connection NOT_ALLOWED - negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047) (10.31)"},
		{wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131073}, "connection NOT_ALLOWED - negotiated frame_max = 131073 is higher than the maximum allowed value (131072) (10.31)"},
		{wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096}, "connection NOT_ALLOWED - negotiated frame_max = 4096 is lower than the minimum allowed value (8192) (10.31)"},
		{wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 0}, "connection NOT_ALLOWED - negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072) (10.31)"},
	} {
		r := b.raw(t).tuned()
		r.send(0, &c.ok)
		equal(t, fmt.Sprint(c.ok), r.ending(), c.want)
	}
	if err := b.core.Committed(func(tx *core.Tx) error { b.core.CreateNamespace(tx, "shop"); return nil }); err != nil {
		t.Fatal(err)
	}
	for vhost, want := range map[string]string{
		"shop":    "connection NOT_ALLOWED - access to vhost 'shop' refused for user 'guest' (10.40)",
		"nix":     "connection NOT_ALLOWED - vhost nix not found (10.40)",
		"default": "connection NOT_ALLOWED - vhost default not found (10.40)",
	} {
		r := b.raw(t).tuned()
		r.send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072}, &wire.ConnectionOpen{VHost: vhost})
		equal(t, vhost, r.ending(), want)
	}
}

// What breaks the rules of framing and order, on an open connection with channel 1.
func TestViolations(t *testing.T) {
	b := serve(t, Options{})
	publish := wire.AppendMethod(nil, 1, &wire.BasicPublish{RoutingKey: "q"})
	header := wire.AppendHeader(nil, 1, 5, []byte{0, 0})
	join := func(bs ...[]byte) (out []byte) {
		for _, b := range bs {
			out = append(out, b...)
		}
		return out
	}
	method := func(channel uint16, m wire.Method) []byte { return wire.AppendMethod(nil, channel, m) }
	badEnd := wire.AppendHeartbeat(nil)
	badEnd[7] = 0xCD
	wrongClass := bytes.Clone(header)
	wrongClass[8] = 50
	badFlags := wire.AppendHeader(nil, 1, 5, []byte{0, 1})
	notUTF8 := method(1, &wire.QueueDeclare{Queue: "\xff\xfe"})
	badTable := method(1, &wire.QueueDeclare{Queue: "q", Arguments: wire.Table(nil).Str("k", "v")})
	badTable[len(badTable)-7] = '?'
	for _, c := range []struct {
		name string
		send []byte
		want string
	}{
		{"bad end of frame", badEnd, "connection FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,205} (0.0)"},
		{"frame too large", []byte{3, 0, 1, 0, 1, 0, 0}, "connection FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,65536,8184} (0.0)"},
		{"unknown type of frame", []byte{7, 0, 1, 0, 0, 0, 0, 0xCE}, "connection FRAME_ERROR - type 7, all octets = <<>>: unknown_frame (0.0)"},
		{"heartbeat on a channel", []byte{8, 0, 1, 0, 0, 0, 0, 0xCE}, "connection UNEXPECTED_FRAME - type 8, all octets = <<>> (0.0)"},
		{"header on channel 0", wire.AppendHeader(nil, 0, 5, []byte{0, 0}), "connection UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,5,0,0>> (0.0)"},
		{"header without a method", header, "connection UNEXPECTED_FRAME - expected method frame, got non method frame instead (0.0)"},
		{"body without a header", join(publish, wire.AppendBody(nil, 1, []byte("hello"), 0)), "connection UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead (60.40)"},
		{"method in place of a body", join(publish, header, publish), "connection UNEXPECTED_FRAME - expected content body, got non content body frame instead (60.40)"},
		{"method in a message", join(publish, publish), "connection UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead (60.40)"},
		{"body longer than announced", join(publish, header, wire.AppendBody(nil, 1, []byte("too long"), 0)), "connection FRAME_ERROR - content body is 3 octets longer than its header said (60.40)"},
		{"endless body", join(publish, wire.AppendHeader(nil, 1, 1<<40, []byte{0, 0})), "connection FRAME_ERROR - content header announces 1099511627776 octets, more than the maximum of 536870912 (60.40)"},
		{"header of another class", join(publish, wrongClass), "connection UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead (60.40)"},
		{"reserved property flag", join(publish, badFlags), "connection SYNTAX_ERROR - reserved property flag is set (60.40)"},
		{"name that is not UTF-8", notUTF8, "connection SYNTAX_ERROR - short string is not valid UTF-8 (50.10)"},
		{"unknown type in a table", badTable, "connection SYNTAX_ERROR - unknown field table type (50.10)"},
		{"method on a channel that is not open", method(2, &wire.BasicAck{DeliveryTag: 1}), "connection CHANNEL_ERROR - expected 'channel.open' (0.0)"},
		{"channel opened twice", method(1, &wire.ChannelOpen{}), "connection CHANNEL_ERROR - second 'channel.open' seen (20.10)"},
		{"unknown method", []byte{1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 99, 0xCE}, "connection COMMAND_INVALID - unknown method 60.99 (60.99)"},
		{"method of a server", method(1, &wire.BasicDeliver{}), "connection COMMAND_INVALID - unimplemented method (60.60)"},
		{"connection method in the wrong state", method(0, &wire.ConnectionOpen{VHost: "/"}), "connection CHANNEL_ERROR - unexpected method in connection state running (10.40)"},
		{"channel method on channel 0", method(0, &wire.ChannelOpen{}), "connection COMMAND_INVALID - unimplemented method (20.10)"},
		{"method too short", []byte{1, 0, 1, 0, 0, 0, 2, 0, 60, 0xCE}, "connection SYNTAX_ERROR - arguments end too early (0.0)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := b.raw(t).open()
			r.write(c.send...)
			equal(t, "ending", r.ending(), c.want)
		})
	}
	r := b.raw(t).tuned()
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 8192})
	r.send(1, &wire.ChannelOpen{})
	equal(t, "channel before open", r.ending(), "connection UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>> (0.0)")
}

func TestChannelMax(t *testing.T) {
	b := serve(t, Options{})
	r := b.raw(t).open()
	for n := uint16(2); n <= 10; n++ {
		r.send(n*100, &wire.ChannelOpen{}) // numbers may be sparse
		if _, ok := r.method().(*wire.ChannelOpenOk); !ok {
			t.Fatal(n)
		}
	}
	r.send(5, &wire.ChannelOpen{})
	equal(t, "ending", r.ending(), "connection NOT_ALLOWED - number of channels opened (10) has reached the negotiated channel_max (10) (0.0)")
}

// What crosses a channel's close on the wire is ignored, and the number is free only after close-ok.
func TestCloseRaces(t *testing.T) {
	b := serve(t, Options{})
	r := b.raw(t).open()
	r.send(1, &wire.QueueDeclare{Queue: "nix", Passive: true})
	m, ok := r.method().(*wire.ChannelClose)
	if !ok || m.ReplyCode != 404 || m.ClassID != 50 || m.MethodID != 10 {
		t.Fatalf("%+v", m)
	}
	// The server waits for close-ok: it hears nothing else, whatever it is.
	r.send(1, &wire.ChannelOpen{}, &wire.BasicAck{DeliveryTag: 9}, &wire.BasicPublish{}, &wire.ChannelClose{})
	if _, ok := r.method().(*wire.ChannelCloseOk); !ok {
		t.Fatal("both sides closed: the client's is answered too")
	}
	r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
	if _, ok := r.method().(*wire.ChannelOpenOk); !ok {
		t.Fatal("the number is not free")
	}
	// The client closes: acks and publishes that were on their way are no error.
	r.send(1, &wire.ChannelClose{ReplyCode: 200})
	if _, ok := r.method().(*wire.ChannelCloseOk); !ok {
		t.Fatal("no close-ok")
	}
	r.send(1, &wire.BasicAck{DeliveryTag: 1}, &wire.BasicNack{DeliveryTag: 2}, &wire.BasicPublish{RoutingKey: "q"})
	r.write(wire.AppendHeader(nil, 1, 1, []byte{0, 0})...)
	r.write(wire.AppendBody(nil, 1, []byte("x"), 0)...)
	r.send(1, &wire.ChannelOpen{})
	if m, ok := r.method().(*wire.ChannelOpenOk); !ok {
		t.Fatalf("got %T", m)
	}
	r.send(0, &wire.ConnectionClose{ReplyCode: 200})
	if _, ok := r.method().(*wire.ConnectionCloseOk); !ok {
		t.Fatal("no close-ok")
	}
	if r.method() != nil {
		t.Error("something comes after close-ok")
	}
}

// Messages of several channels interleave, and what one of them asks for in between, which does all that was read
// before, leaves the ones that have begun as they are; in whatever pieces it comes.
func TestInterleavedMessages(t *testing.T) {
	b := serve(t, Options{})
	text := func(c byte) string { return strings.Repeat(string(c), 3000) }
	for _, begun := range []uint16{1, 2} {
		for _, piece := range []int{1 << 20, 1000, 7} {
			r := b.raw(t).open()
			for ch := uint16(2); ch <= 3; ch++ {
				r.send(ch, &wire.ChannelOpen{})
				r.method()
			}
			r.send(3, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.QueuePurge{Queue: "q"})
			r.method()
			r.method()
			var all []byte
			for ch := uint16(1); ch <= begun; ch++ {
				all = wire.AppendMethod(all, ch, &wire.BasicPublish{RoutingKey: "q"})
				p := wire.Properties{Flags: wire.HasMessageID, MessageID: []byte{'0' + byte(ch)}}
				all = wire.AppendHeader(all, ch, 6000, p.Append(nil))
			}
			whole := func(body string) {
				all = wire.AppendMethod(all, 3, &wire.BasicPublish{RoutingKey: "q"})
				all = wire.AppendHeader(all, 3, len(body), []byte{0, 0})
				all = wire.AppendBody(all, 3, []byte(body), frameMinSize)
			}
			whole(text('x'))
			all = wire.AppendMethod(all, 3, &wire.QueueDeclare{Queue: "q", Durable: true})
			whole(text('y'))
			for _, half := range "AB" {
				for ch := uint16(1); ch <= begun; ch++ {
					all = wire.AppendBody(all, ch, []byte(text(byte(half)+byte(ch))), frameMinSize)
				}
			}
			all = wire.AppendMethod(all, 3, &wire.QueueDeclare{Queue: "q", Durable: true})
			for ; len(all) > piece; all = all[piece:] {
				r.write(all[:piece]...)
			}
			r.write(all...)
			r.method()
			r.method()
			want := []string{" " + text('x'), " " + text('y')}
			for ch := byte(1); uint16(ch) <= begun; ch++ {
				want = append(want, string('0'+ch)+" "+text('A'+ch)+text('B'+ch))
			}
			c := b.client()
			for i := range want {
				d := c.get("q")
				if d == nil {
					t.Fatalf("%d begun, pieces of %d: message %d is missing", begun, piece, i)
				}
				if d.MessageId+" "+string(d.Body) != want[i] {
					t.Errorf("%d begun, pieces of %d: message %d: id %q, %d octets", begun, piece, i, d.MessageId, len(d.Body))
				}
			}
		}
	}
}

// Bodies that are larger than what is read at once, of interleaved channels, one of them in a transaction, come out as
// they went in.
func TestLargeBodies(t *testing.T) {
	b := serve(t, Options{})
	for seed := range int64(10) {
		rng := rand.New(rand.NewSource(seed))
		r := b.raw(t).open()
		r.send(2, &wire.ChannelOpen{})
		r.method()
		r.send(2, &wire.TxSelect{})
		r.method()
		queue := fmt.Sprintf("q%d-", seed)
		r.send(1, &wire.QueueDeclare{Queue: queue + "1", Durable: true}, &wire.QueueDeclare{Queue: queue + "2", Durable: true})
		r.method()
		r.method()
		var want [3][]string
		var frames [3][][]byte
		for ch := uint16(1); ch <= 2; ch++ {
			for range 6 {
				body := make([]byte, rng.Intn(1<<rng.Intn(18)))
				rng.Read(body)
				want[ch] = append(want[ch], string(body))
				frames[ch] = append(frames[ch], wire.AppendMethod(nil, ch, &wire.BasicPublish{RoutingKey: fmt.Sprint(queue, ch)}),
					wire.AppendHeader(nil, ch, len(body), []byte{0, 0}))
				for n := 0; len(body) > 0; body = body[n:] {
					n = min(len(body), 1+rng.Intn(frameMinSize-wire.FrameExtra))
					frames[ch] = append(frames[ch], wire.AppendFrame(nil, wire.FrameBody, ch, body[:n]))
				}
			}
		}
		frames[2] = append(frames[2], wire.AppendMethod(nil, 2, &wire.TxCommit{}))
		var all []byte
		for len(frames[1])+len(frames[2]) > 0 {
			ch := 1 + rng.Intn(2)
			if len(frames[ch]) > 0 {
				all, frames[ch] = append(all, frames[ch][0]...), frames[ch][1:]
			}
		}
		for n := 0; len(all) > 0; all = all[n:] {
			n = min(len(all), 1+rng.Intn(1<<rng.Intn(18)))
			r.write(all[:n]...)
		}
		if m, ok := r.method().(*wire.TxCommitOk); !ok {
			t.Fatalf("seed %d: got %T", seed, m)
		}
		r.send(1, &wire.QueueDeclare{Queue: queue + "1", Durable: true}) // waits for what channel 1 published
		r.method()
		c := b.client()
		for ch := 1; ch <= 2; ch++ {
			if got := c.drain(fmt.Sprint(queue, ch)); !slices.Equal(got, want[ch]) {
				t.Errorf("seed %d, channel %d: %d messages differ from the %d that were sent", seed, ch, len(got), len(want[ch]))
			}
		}
	}
}

// The end of a large frame is looked at however late it comes.
func TestLargeFrameWithoutEnd(t *testing.T) {
	b := serve(t, Options{})
	r := b.raw(t).open()
	r.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.BasicPublish{RoutingKey: "q"})
	r.method()
	r.write(wire.AppendHeader(nil, 1, 8000, []byte{0, 0})...)
	frame := wire.AppendFrame(nil, wire.FrameBody, 1, make([]byte, 8000))
	n := len(frame) - 1
	r.write(frame[:n/2]...)
	r.write(frame[n/2 : n]...)
	r.write('x')
	equal(t, "ending", r.ending(), "connection FRAME_ERROR - type 3, all octets = <<>>: {invalid_frame_end_marker,120} (0.0)")
	equal(t, "stored", len(b.client().drain("q")), 0)
}

// Frames may come in any pieces.
func TestByteByByte(t *testing.T) {
	b := serve(t, Options{})
	r := b.raw(t).open()
	var all []byte
	all = wire.AppendMethod(all, 1, &wire.QueueDeclare{Queue: "q", Durable: true})
	all = wire.AppendMethod(all, 1, &wire.BasicPublish{RoutingKey: "q"})
	p := wire.Properties{Flags: wire.HasMessageID, MessageID: []byte("m")}
	all = wire.AppendHeader(all, 1, 11, p.Append(nil))
	all = wire.AppendBody(all, 1, []byte("hello "), 0)
	all = wire.AppendBody(all, 1, []byte("world"), 0)
	all = wire.AppendMethod(all, 1, &wire.BasicGet{Queue: "q", NoAck: true})
	for _, o := range all {
		r.write(o)
	}
	if m, ok := r.method().(*wire.QueueDeclareOk); !ok || m.Queue != "q" {
		t.Fatalf("%T %+v", m, m)
	}
	if m, ok := r.method().(*wire.BasicGetOk); !ok || m.RoutingKey != "q" {
		t.Fatalf("%T %+v", m, m)
	}
	f, _ := r.frame()
	_, size, props, err := wire.ParseHeader(f.Payload)
	if err != nil || size != 11 || !bytes.Equal(props, p.Append(nil)) {
		t.Errorf("%d %x %v", size, props, err)
	}
	f, _ = r.frame()
	equal(t, "body", string(f.Payload), "hello world")
}

// Clients that never say who they are, or say nothing any more, are let go.
func TestSilence(t *testing.T) {
	b := serve(t, Options{HandshakeTimeout: 50 * time.Millisecond})
	r := b.raw(t)
	if _, ok := r.frame(); ok {
		t.Error("the server spoke first")
	}
	r = b.raw(t)
	r.write(wire.ProtocolHeader[:]...)
	equal(t, "half a handshake", r.ending(), "closed")
	r = b.raw(t)
	r.write(wire.ProtocolHeader[:4]...)
	equal(t, "half a header", r.ending(), "closed")
	// Heartbeats: the server sends some, and ends a connection that sends none.
	b = serve(t, Options{})
	r = b.raw(t).tuned()
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 8192, Heartbeat: 1}, &wire.ConnectionOpen{VHost: "/"})
	beats := 0
	for {
		f, ok := r.frame()
		if !ok {
			break
		}
		if f.Type == wire.FrameHeartbeat {
			beats++
		}
	}
	if beats < 2 {
		t.Errorf("%d heartbeats", beats)
	}
}

// Clients are told when the server goes.
func TestShutdownTellsClients(t *testing.T) {
	b := serve(t, Options{})
	r := b.raw(t).open()
	ended := make(chan string)
	go func() { ended <- r.ending() }()
	b.stop()
	equal(t, "ending", <-ended, "connection CONNECTION_FORCED - broker forced connection closure with reason 'shutdown' (0.0)")
}

// FuzzConnection feeds the server whatever comes after an open channel: it must
// answer by the protocol or close, and live.
func FuzzConnection(f *testing.F) {
	b := serve(f, Options{RefusalDelay: time.Millisecond})
	var all []byte
	all = wire.AppendMethod(all, 1, &wire.QueueDeclare{Queue: "q", Durable: true})
	all = wire.AppendMethod(all, 1, &wire.ConfirmSelect{})
	all = wire.AppendMethod(all, 1, &wire.BasicConsume{Queue: "q", NoAck: true})
	all = wire.AppendMethod(all, 1, &wire.BasicPublish{RoutingKey: "q"})
	all = wire.AppendHeader(all, 1, 5, []byte{0, 0})
	all = wire.AppendBody(all, 1, []byte("hello"), 0)
	all = wire.AppendMethod(all, 1, &wire.QueueDelete{Queue: "q"})
	f.Add(all)
	f.Add(wire.AppendMethod(nil, 0, &wire.ConnectionClose{}))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := b.raw(t)
		var hello []byte
		hello = append(hello, wire.ProtocolHeader[:]...)
		hello = wire.AppendMethod(hello, 0, login("guest", "guest"))
		hello = wire.AppendMethod(hello, 0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 8192})
		hello = wire.AppendMethod(hello, 0, &wire.ConnectionOpen{VHost: "/"})
		hello = wire.AppendMethod(hello, 1, &wire.ChannelOpen{})
		r.write(append(hello, in...)...)
		_ = r.conn.(*net.TCPConn).CloseWrite()
		for {
			if _, ok := r.frame(); !ok {
				return
			}
		}
	})
}
