package amqp

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// entry makes an entry as a publish does.
func entry(exchange, key string, p wire.Properties, body string) *core.Entry {
	data := appendContentHead(nil, 0, []byte(exchange), nil, nil, p.Append(nil))
	return &core.Entry{Count: 1, Format: Format, Key: []byte(key), Data: append(data, body...), Time: 5}
}

func TestEntryLayout(t *testing.T) {
	p := wire.Properties{Flags: wire.HasDeliveryMode, DeliveryMode: 2}
	e := entry("logs", "a.b", p, "hello")
	if got := hex.EncodeToString(e.Data); got != "01046c6f677303100002"+hex.EncodeToString([]byte("hello")) {
		t.Errorf("the layout changed: %s", got)
	}
	var c content
	if err := c.open(e); err != nil || string(c.exchange) != "logs" || string(c.key) != "a.b" || string(c.body) != "hello" {
		t.Errorf("%+v, %v", c, err)
	}
	own := &core.Entry{Key: []byte("record"), Data: withOwnKey(e.Data, []byte("a.b"))}
	if err := c.open(own); err != nil || string(c.key) != "a.b" || string(c.body) != "hello" || !bytes.Equal(c.props, p.Append(nil)) {
		t.Errorf("%+v, %v", c, err)
	}
	blind := wire.Array(nil).Str([]byte("k"))
	e = &core.Entry{Key: []byte("a.b"), Data: append(appendContentHead(nil, 0, []byte("logs"), nil, blind, p.Append(nil)), "hello"...)}
	if got := hex.EncodeToString(e.Data); got != "81046c6f677306530000000"+"16b03100002"+hex.EncodeToString([]byte("hello")) {
		t.Errorf("the layout changed: %s", got)
	}
	if err := c.open(e); err != nil || !bytes.Equal(c.bcc, blind) || !bytes.Equal(c.props, p.Append(nil)) || string(c.body) != "hello" {
		t.Errorf("%+v, %v", c, err)
	}
	for cut := range len(e.Data) - 5 {
		if c.open(&core.Entry{Data: e.Data[:cut]}) == nil {
			t.Errorf("cut to %d octets was accepted", cut)
		}
	}
}

func TestNeutralMessage(t *testing.T) {
	headers := wire.Table(nil).Str("s", "text").Int("n", -3).Bool("b", true).Time("T", 7).Bytes("x", []byte{0xff, 0}).
		Field("V", wire.Value{Type: wire.TypeVoid}).
		Field("D", wire.Value{Type: wire.TypeDecimal, Raw: []byte{3, 0, 0, 0, 42}}).
		Table("F", wire.Table(nil).Str("k", "v").Int("n", 1)).
		Array("A", wire.Array(nil).Str([]byte("one")).Table(nil)).
		Str("s", "again")
	p := wire.Properties{
		Flags:       0xfff8,
		ContentType: []byte("text/plain"), ContentEncoding: []byte("gzip"), Headers: headers, DeliveryMode: 2, Priority: 4,
		CorrelationID: []byte("c"), ReplyTo: []byte("back"), Expiration: []byte("1000"), MessageID: []byte("m"), Timestamp: 99,
		Type: []byte("t"), UserID: []byte("guest"), AppID: []byte("app"),
	}
	ms, err := codec{}.Messages(entry("x", "key", p, "body"), nil)
	if err != nil || len(ms) != 1 {
		t.Fatal(err)
	}
	m := ms[0]
	var got []string
	for _, h := range m.Headers {
		got = append(got, h.Name+"="+string(h.Value))
	}
	want := []string{
		"content-type=text/plain", "content-encoding=gzip", "s=text", "n=-3", "b=true", "T=7", "x=\xff\x00", "V=", "D=0.042",
		`F={"k":"v","n":1}`, `A=["one",{}]`, "s=again", "delivery-mode=2", "priority=4", "correlation-id=c", "reply-to=back",
		"expiration=1000", "message-id=m", "timestamp=99", "type=t", "user-id=guest", "app-id=app",
	}
	if !reflect.DeepEqual(got, want) || string(m.Key) != "key" || string(m.Value) != "body" || m.Reply != "back" || m.Time != 5 {
		t.Errorf("got %q\nwant %q\n%+v", got, want, m)
	}
	// Read as another protocol's message, the properties are properties again. (Only who is asked live has Reply.)
	m.Reply = ""
	f := translate(&m)
	var back wire.Properties
	if err := back.Parse(f.props); err != nil {
		t.Fatal(err)
	}
	if back.Flags != p.Flags || string(back.ContentType) != "text/plain" || back.Priority != 4 || back.Timestamp != 99 || string(back.ReplyTo) != "back" {
		t.Errorf("%+v", back)
	}
	if v, _ := back.Headers.Lookup("F"); string(v.Raw[4:]) != `{"k":"v","n":1}` {
		t.Errorf("F is %q", v.Raw)
	}
	var names []string
	back.Headers.Each(func(n []byte, _ wire.Value) bool { names = append(names, string(n)); return true })
	if strings.Join(names, "") != "snbTxVDFAs" {
		t.Errorf("headers %v", names)
	}
}

func TestTranslateInvalid(t *testing.T) {
	m := core.Message{Key: []byte{'k', 0xff}, Headers: []core.Header{
		{Name: "priority", Value: []byte("300")}, {Name: "timestamp", Value: []byte("now")}, {Name: "content-type", Value: []byte{0xff}},
		{Name: "type", Value: bytes.Repeat([]byte("x"), 256)}, {Name: "expiration", Value: []byte("soon")}, {Name: "delivery-mode", Value: []byte("9")},
		{Name: strings.Repeat("n", 256), Value: nil},
	}}
	f := translate(&m)
	var p wire.Properties
	if err := p.Parse(f.props); err != nil {
		t.Fatal(err)
	}
	n := 0
	p.Headers.Each(func([]byte, wire.Value) bool { n++; return true })
	if p.Flags != wire.HasHeaders || n != 6 || string(f.key) != "k_" {
		t.Errorf("flags %x, %d headers, key %q", p.Flags, n, f.key)
	}
}

// deaths shows an x-death header.
func deaths(t *testing.T, data []byte) (string, wire.Properties) {
	var c content
	var p wire.Properties
	if err := c.open(&core.Entry{Data: data}); err != nil {
		t.Fatal(err)
	}
	if err := p.Parse(c.props); err != nil {
		t.Fatal(err)
	}
	v, _ := p.Headers.Lookup(headerDeath)
	return string(headerText(v)), p
}

func TestDeadLettered(t *testing.T) {
	p := wire.Properties{
		Flags: wire.HasHeaders | wire.HasExpiration | wire.HasCorrelationID, Expiration: []byte("100"), CorrelationID: []byte("c"),
		Headers: wire.Table(nil).Array(headerCC, wire.Array(nil).Str([]byte("k2"))).Str("x-death", "a client's own").Str("kept", "yes"),
	}
	e := entry("work", "k1", p, "body")
	die := func(e *core.Entry, d core.Death) (*core.Entry, core.Dead) {
		dead, err := codec{}.DeadLettered(e, d)
		if err != nil {
			t.Fatal(err)
		}
		return &core.Entry{Key: []byte(dead.Keys[0]), Data: dead.Data}, dead
	}
	at := (100 * time.Second).Nanoseconds()
	e, dead := die(e, core.Death{Reason: "expired", Queue: "q1", Exchange: "dlx", Time: at})
	if !reflect.DeepEqual(dead.Keys, []string{"k1", "k2"}) {
		t.Errorf("keys %v", dead.Keys)
	}
	first := `{"count":1,"exchange":"work","original-expiration":"100","queue":"q1","reason":"expired","routing-keys":["k1","k2"],"time":100}`
	got, props := deaths(t, e.Data)
	if got != "["+first+"]" || props.Flags&wire.HasExpiration != 0 || string(props.CorrelationID) != "c" {
		t.Errorf("got %s, %+v", got, props)
	}
	if !dead.Cycles("q1") || dead.Cycles("q2") {
		t.Error("a message that expired in q1 would go round")
	}
	e, dead = die(e, core.Death{Reason: "rejected", Queue: "q2", Exchange: "", Key: "q1", HasKey: true, Time: 2 * at})
	got, props = deaths(t, e.Data)
	second := `{"count":1,"exchange":"dlx","queue":"q2","reason":"rejected","routing-keys":["k1","k2"],"time":200}`
	if got != "["+second+","+first+"]" {
		t.Errorf("got %s", got)
	}
	for name, want := range map[string]string{
		headerFirstReason: "expired", headerFirstQueue: "q1", headerFirstExchange: "work",
		headerLastReason: "rejected", headerLastQueue: "q2", headerLastExchange: "dlx", "kept": "yes",
	} {
		if s := textField(props.Headers, name); s != want {
			t.Errorf("%s is %q, want %q", name, s, want)
		}
	}
	if !reflect.DeepEqual(dead.Keys, []string{"q1"}) || dead.Cycles("q1") {
		t.Errorf("keys %v; a rejected message may come back", dead.Keys)
	}
	// The same death again counts, and moves to the front; the key of the queue is the only one now.
	e, dead = die(e, core.Death{Reason: "expired", Queue: "q1", Exchange: "dlx", Time: 3 * at})
	got, _ = deaths(t, e.Data)
	if want := "[" + strings.Replace(first, `"count":1`, `"count":2`, 1) + "," + second + "]"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if !reflect.DeepEqual(dead.Keys, []string{"q1"}) {
		t.Errorf("keys %v", dead.Keys)
	}
}
