package wire

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// everyType is a table with a field of each type, one of them twice.
func everyType() Table {
	inner := Table(nil).Str("a", "b").Bool("t", true)
	t := Table(nil).
		Field("bool", Value{TypeBool, []byte{1}}).
		Field("i8", Value{TypeInt8, []byte{0xff}}).
		Field("u8", Value{TypeUint8, []byte{0xff}}).
		Field("i16", Value{TypeInt16, []byte{0xff, 0xfe}}).
		Field("u16", Value{TypeUint16, []byte{0xff, 0xfe}}).
		Field("i32", Value{TypeInt32, []byte{0xff, 0xff, 0xff, 0xfd}}).
		Field("u32", Value{TypeUint32, []byte{0xff, 0xff, 0xff, 0xfd}}).
		Int("i64", -5).
		Field("I64", Value{TypeInt64L, []byte{0x80, 0, 0, 0, 0, 0, 0, 1}}).
		Field("f", Value{TypeFloat, []byte{0x3f, 0xc0, 0, 0}}).
		Field("d", Value{TypeDouble, []byte{0x3f, 0xf8, 0, 0, 0, 0, 0, 0}}).
		Field("dec", Value{TypeDecimal, []byte{2, 0, 0, 1, 0}}).
		Str("s", "text").
		Bytes("x", []byte{0, 1, 2}).
		Time("T", 1<<63+1).
		Table("F", inner).
		Array("A", Array(nil).Str([]byte("one")).Table(inner).Element(Value{TypeVoid, nil})).
		Field("V", Value{TypeVoid, nil}).
		Str("s", "again")
	return t.Int(strings.Repeat("n", 255), 1)
}

func TestMethodsRoundTrip(t *testing.T) {
	for id, mk := range methods {
		m := mk()
		fill(reflect.ValueOf(m).Elem())
		frame := AppendMethod(nil, 7, m)
		f, n, _, err := ParseFrame(frame, 0)
		if err != nil || n != len(frame) || f.Type != FrameMethod || f.Channel != 7 {
			t.Fatalf("%T: frame %+v, %d of %d, %v", m, f, n, len(frame), err)
		}
		got, gotID, err := ReadMethod(f.Payload)
		if err != nil || gotID != id || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %+v (%v), want %+v", m, got, err, m)
		}
		for cut := 4; cut < len(f.Payload); cut++ {
			if _, _, err := ReadMethod(f.Payload[:cut]); err == nil {
				t.Errorf("%T: cut to %d octets was accepted", m, cut)
			}
		}
		if _, _, err := ReadMethod(append(bytes.Clone(f.Payload), 0)); err == nil {
			t.Errorf("%T: a trailing octet was accepted", m)
		}
	}
	if len(methods) != 66 {
		t.Errorf("%d methods", len(methods))
	}
}

func fill(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.Kind() == reflect.String:
			f.SetString(fmt.Sprintf("field-%d", i))
		case f.Kind() == reflect.Bool:
			f.SetBool(i%2 == 0)
		case f.Type() == reflect.TypeFor[Table]():
			f.SetBytes(everyType())
		case f.Kind() == reflect.Slice:
			f.SetBytes([]byte{1, 2, 3})
		default:
			f.SetUint(uint64(200 + i))
		}
	}
}

// testdata/sessions holds what amqp091-go, pika and amqp-publish said to a RabbitMQ 3.10, and what it answered: every
// octet is read, and written again as it was.
func TestRealSessions(t *testing.T) {
	seen := map[ID]bool{}
	for name, b := range sessions(t) {
		if strings.HasSuffix(name, ".client") {
			if !bytes.HasPrefix(b, ProtocolHeader[:]) {
				t.Errorf("%s does not begin with a protocol header", name)
			}
			b = b[len(ProtocolHeader):]
		}
		for at := 0; at < len(b); {
			f, n, _, err := ParseFrame(b[at:], 131072)
			if err != nil || n == 0 {
				t.Fatalf("%s at %d: %v", name, at, err)
			}
			raw := b[at : at+n]
			at += n
			var again []byte
			switch f.Type {
			case FrameMethod:
				m, id, err := ReadMethod(f.Payload)
				if err != nil {
					t.Fatalf("%s at %d: %v", name, at, err)
				}
				seen[id] = true
				again = AppendMethod(nil, f.Channel, m)
			case FrameHeader:
				_, size, props, err := ParseHeader(f.Payload)
				if err != nil {
					t.Fatalf("%s at %d: %v", name, at, err)
				}
				var p Properties
				if err := p.Parse(props); err != nil {
					t.Fatalf("%s at %d: %v", name, at, err)
				}
				again = AppendHeader(nil, f.Channel, int(size), p.Append(nil))
			case FrameBody:
				again = AppendBody(nil, f.Channel, f.Payload, 131072)
			default:
				again = AppendFrame(nil, f.Type, f.Channel, f.Payload)
			}
			if !bytes.Equal(again, raw) {
				t.Errorf("%s: %x became %x", name, raw, again)
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d methods seen", len(seen))
	}
}

func sessions(t testing.TB) map[string][]byte {
	files, err := filepath.Glob("testdata/sessions/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no sessions", err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		if all[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestFrameErrors(t *testing.T) {
	good := AppendFrame(nil, FrameBody, 1, make([]byte, 100))
	if _, n, need, err := ParseFrame(good[:50], 0); n != 0 || need != 108 || err != nil {
		t.Errorf("part: %d %d %v", n, need, err)
	}
	bad := bytes.Clone(good)
	bad[len(bad)-1] = 0
	if _, _, _, err := ParseFrame(bad, 0); err == nil || !strings.Contains(err.Error(), "{invalid_frame_end_marker,0}") {
		t.Errorf("bad end: %v", err)
	}
	// The size is refused before a body of that size is waited for.
	if _, _, _, err := ParseFrame([]byte{3, 0, 1, 0xff, 0xff, 0xff, 0xff}, 4096); err == nil || !strings.Contains(err.Error(), "{frame_too_large,4294967295,4088}") {
		t.Errorf("too large: %v", err)
	}
	if _, _, _, err := ParseFrame(AppendFrame(nil, FrameBody, 1, make([]byte, 4096)), 4096); err != nil {
		t.Errorf("a client that does not count the eight octets: %v", err)
	}
}

func TestTable(t *testing.T) {
	tab := everyType()
	if err := ValidTable(tab); err != nil {
		t.Fatal(err)
	}
	ints := map[string]int64{"i8": -1, "u8": 255, "i16": -2, "u16": 65534, "i32": -3, "u32": 1<<32 - 3, "i64": -5, "I64": -1<<63 + 1}
	for name, want := range ints {
		v, _ := tab.Lookup(name)
		if got, ok := v.Int(); !ok || got != want {
			t.Errorf("%s = %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{"f", "d"} {
		v, _ := tab.Lookup(name)
		if got, ok := v.Float(); !ok || got != 1.5 {
			t.Errorf("%s = %v, %v", name, got, ok)
		}
	}
	if v, _ := tab.Lookup("s"); string(v.Raw[4:]) != "text" {
		t.Error("the first of two fields is not found")
	}
	without := Table(tab.Without(nil, "s", "F"))
	if without.Has("s") || without.Has("F") || !without.Has("A") || len(without) >= len(tab) {
		t.Error("Without")
	}
	for cut := range len(tab) {
		err := ValidTable(tab[:cut])
		n := 0
		tab[:cut].Each(func([]byte, Value) bool { n++; return true })
		if err == nil && len(rebuild(tab[:cut])) != cut {
			t.Errorf("cut to %d octets is valid, but reads as less", cut)
		}
	}
	if got := rebuild(tab); !bytes.Equal(got, tab) {
		t.Error("reading and appending changes a table")
	}
	deep := Table(nil)
	for range MaxDepth + 2 {
		deep = Table(nil).Table("d", deep)
	}
	if err := ValidTable(deep); err != errTableDeep {
		t.Errorf("deep: %v", err)
	}
}

func rebuild(t Table) (out Table) {
	t.Each(func(name []byte, v Value) bool { out = out.Field(string(name), v); return true })
	return out
}

func TestProperties(t *testing.T) {
	p := Properties{
		Flags: 0xfffc, ContentType: []byte("text/plain"), ContentEncoding: []byte("gzip"), Headers: everyType(), DeliveryMode: 2,
		Priority: 9, CorrelationID: []byte("c"), ReplyTo: []byte("r"), Expiration: []byte("60000"), MessageID: []byte("m"),
		Timestamp: 1 << 40, Type: []byte("t"), UserID: []byte("guest"), AppID: []byte("app"), ClusterID: []byte{},
	}
	raw := p.Append(nil)
	p.Raw = raw
	var got Properties
	if err := got.Parse(raw); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("got %+v, %v", got, err)
	}
	if again := got.Append(nil); !bytes.Equal(again, raw) {
		t.Error("encoding differs")
	}
	for cut := range len(raw) {
		if got.Parse(raw[:cut]) == nil {
			t.Errorf("cut to %d octets was accepted", cut)
		}
	}
	frame := AppendHeader(nil, 3, 77, raw)
	f, _, _, _ := ParseFrame(frame, 0)
	class, body, props, err := ParseHeader(f.Payload)
	if class != ClassBasic || body != 77 || !bytes.Equal(props, raw) || err != nil {
		t.Errorf("header: %d %d %v", class, body, err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = got.Parse(raw) }); n != 0 {
		t.Errorf("Parse allocates %v times", n)
	}
}

// The forms that allocate nothing are held to the general ones.
func TestHotForms(t *testing.T) {
	pub := &BasicPublish{Ticket: 1, Exchange: "x", RoutingKey: "some.key", Mandatory: true}
	f, _, _, _ := ParseFrame(AppendMethod(nil, 1, pub), 0)
	p, err := ParsePublish(f.Payload)
	if err != nil || string(p.Exchange) != "x" || string(p.RoutingKey) != "some.key" || !p.Mandatory || p.Immediate {
		t.Errorf("publish: %+v %v", p, err)
	}
	deliver := &BasicDeliver{ConsumerTag: "ctag", DeliveryTag: 1 << 40, Redelivered: true, Exchange: "x", RoutingKey: "k"}
	if got := AppendDeliver(nil, 9, "ctag", 1<<40, true, []byte("x"), []byte("k")); !bytes.Equal(got, AppendMethod(nil, 9, deliver)) {
		t.Errorf("deliver: %x", got)
	}
	if got := AppendConfirm(nil, 9, 5, true, false); !bytes.Equal(got, AppendMethod(nil, 9, &BasicAck{DeliveryTag: 5, Multiple: true})) {
		t.Errorf("ack: %x", got)
	}
	if got := AppendConfirm(nil, 9, 5, false, true); !bytes.Equal(got, AppendMethod(nil, 9, &BasicNack{DeliveryTag: 5})) {
		t.Errorf("nack: %x", got)
	}
	f, _, _, _ = ParseFrame(AppendMethod(nil, 1, &BasicAck{DeliveryTag: 3, Multiple: true}), 0)
	if tag, multiple, err := ParseAck(f.Payload); tag != 3 || !multiple || err != nil {
		t.Errorf("ack: %d %v %v", tag, multiple, err)
	}
	var buf []byte
	body := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		buf = AppendDeliver(buf[:0], 1, "c", 1, false, p.Exchange, p.RoutingKey)
		buf = AppendHeader(buf, 1, len(body), []byte{0, 0})
		buf = AppendBody(buf, 1, body, 131072)
		_, _ = ParsePublish(f.Payload)
	}); n != 0 {
		t.Errorf("a message allocates %v times", n)
	}
}

func TestBodySplit(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 1000)
	var got []byte
	frames := 0
	for b := AppendBody(nil, 1, body, 4096); len(b) > 0; frames++ {
		f, n, _, err := ParseFrame(b, 4096)
		if err != nil || n > 4096 {
			t.Fatal(n, err)
		}
		got = append(got, f.Payload...)
		b = b[n:]
	}
	if frames != 3 || !bytes.Equal(got, body) {
		t.Errorf("%d frames, %d octets", frames, len(got))
	}
}
