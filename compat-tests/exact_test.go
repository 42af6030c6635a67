package compat

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// Within one protocol a message comes out as it went in, byte for byte. The clients
// would parse and write anew what they read, so these tests speak the protocols by hand.

func dialRaw(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(4*patience)))
	return c, bufio.NewReader(c)
}

// amqpRaw is one channel of an AMQP connection.
type amqpRaw struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func (a *amqpRaw) send(kind byte, channel uint16, payload []byte) {
	a.t.Helper()
	f := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	f = binary.BigEndian.AppendUint32(f, uint32(len(payload)))
	_, err := a.c.Write(append(append(f, payload...), 0xce))
	must(a.t, err)
}

// next reads a frame, which must be of that kind.
func (a *amqpRaw) next(kind byte) []byte {
	a.t.Helper()
	for {
		var h [7]byte
		_, err := io.ReadFull(a.r, h[:])
		must(a.t, err)
		payload := make([]byte, binary.BigEndian.Uint32(h[3:])+1)
		_, err = io.ReadFull(a.r, payload)
		must(a.t, err)
		payload = payload[:len(payload)-1]
		if h[0] == 8 { // a heartbeat
			continue
		}
		if h[0] != kind {
			a.t.Fatalf("frame %d: %q, want %d", h[0], payload, kind)
		}
		return payload
	}
}

// call sends a method and reads the answer, which must be that one.
func (a *amqpRaw) call(channel uint16, method []byte, class, id uint16) []byte {
	a.t.Helper()
	a.send(1, channel, method)
	got := a.next(1)
	if binary.BigEndian.Uint16(got) != class || binary.BigEndian.Uint16(got[2:]) != id {
		a.t.Fatalf("got %q, want method %d,%d", got, class, id)
	}
	return got[4:]
}

func method(class, id uint16, args ...any) []byte {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint16(b, id)
	for _, a := range args {
		switch a := a.(type) {
		case string:
			b = append(append(b, byte(len(a))), a...)
		case []byte: // a long string or a table
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(a))), a...)
		case byte:
			b = append(b, a)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, a)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, a)
		}
	}
	return b
}

func (s *server) amqpRaw(t *testing.T) *amqpRaw {
	t.Helper()
	c, r := dialRaw(t, s.addrs["amqp"])
	a := &amqpRaw{t, c, r}
	_, err := c.Write([]byte("AMQP\x00\x00\x09\x01"))
	must(t, err)
	a.next(1) // start
	a.call(0, method(10, 11, []byte{}, "PLAIN", []byte("\x00guest\x00guest"), "en_US"), 10, 30)
	a.send(1, 0, method(10, 31, uint16(2047), uint32(131072), uint16(0)))
	a.call(0, method(10, 40, "/", "", byte(0)), 10, 41)
	a.call(1, method(20, 10, ""), 20, 11)
	a.call(1, method(50, 10, uint16(0), "exact", byte(2), []byte{}), 50, 11) // durable
	return a
}

// drawTable makes a table of all field types, with names that repeat.
func drawTable(t *rapid.T, depth int) []byte {
	var b []byte
	for range rapid.IntRange(0, 5).Draw(t, "fields") {
		name := rapid.SampledFrom([]string{"a", "A", "b", "ü", "x-y", ""}).Draw(t, "name")
		b = append(append(b, byte(len(name))), name...)
		b = drawField(t, b, depth)
	}
	return b
}

func drawField(t *rapid.T, b []byte, depth int) []byte {
	types := "SIilLbBsudfDxtTV"
	if depth > 0 {
		types += "FA"
	}
	kind := types[rapid.IntRange(0, len(types)-1).Draw(t, "type")]
	b = append(b, kind)
	long := func(v []byte) []byte { return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) }
	size := map[byte]int{'I': 4, 'i': 4, 'l': 8, 'L': 8, 'b': 1, 'B': 1, 's': 2, 'u': 2, 'd': 8, 'f': 4, 'D': 5, 'T': 8}
	switch kind {
	case 'S', 'x':
		return long(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
	case 't':
		return append(b, byte(rapid.IntRange(0, 1).Draw(t, "bool")))
	case 'F':
		return long(drawTable(t, depth-1))
	case 'A':
		var a []byte
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			a = drawField(t, a, depth-1)
		}
		return long(a)
	}
	return append(b, rapid.SliceOfN(rapid.Byte(), size[kind], size[kind]).Draw(t, "value")...)
}

// drawProperties makes the flags and any of the properties.
func drawProperties(t *rapid.T) []byte {
	flags := rapid.Uint16().Draw(t, "flags") & 0xfff8
	b := binary.BigEndian.AppendUint16(nil, flags)
	short := func(s []byte) { b = append(append(b, byte(len(s))), s...) }
	for bit := 15; bit >= 3; bit-- {
		if flags>>bit&1 == 0 {
			continue
		}
		switch bit {
		case 13: // headers
			h := drawTable(t, 2)
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(h))), h...)
		case 12: // delivery mode
			b = append(b, byte(rapid.IntRange(1, 2).Draw(t, "mode")))
		case 11:
			b = append(b, rapid.Byte().Draw(t, "priority"))
		case 8: // expiration: long enough for the test
			short([]byte(strconv.Itoa(rapid.IntRange(1_000_000, 100_000_000).Draw(t, "expiration"))))
		case 6:
			b = append(b, rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "timestamp")...)
		case 4: // user id
			short([]byte("guest"))
		default:
			short([]byte(rapid.StringN(0, 40, 60).Draw(t, "text")))
		}
	}
	return b
}

func TestExactAMQP(t *testing.T) {
	s := startCrossdoor(t)
	a := s.amqpRaw(t)
	rapid.Check(t, func(rt *rapid.T) {
		props := drawProperties(rt)
		body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "body")
		header := binary.BigEndian.AppendUint16(nil, 60)
		header = binary.BigEndian.AppendUint16(header, 0)
		header = binary.BigEndian.AppendUint64(header, uint64(len(body)))
		a.send(1, 1, method(60, 40, uint16(0), "", "exact", byte(0)))
		a.send(2, 1, append(header, props...))
		if len(body) > 0 {
			a.send(3, 1, body)
		}
		// A transient message may be queued a moment later than the next method is read.
		for {
			a.send(1, 1, method(60, 70, uint16(0), "exact", byte(1)))
			got := a.next(1)
			if id := binary.BigEndian.Uint16(got[2:]); id == 71 {
				break
			} else if id != 72 {
				rt.Fatalf("get: %q", got)
			}
		}
		h := a.next(2)
		if !bytes.Equal(h[12:], props) {
			rt.Fatalf("properties\n%x came as\n%x", props, h[12:])
		}
		var got []byte
		for uint64(len(got)) < binary.BigEndian.Uint64(h[4:]) {
			got = append(got, a.next(3)...)
		}
		if !bytes.Equal(got, body) {
			rt.Fatalf("body %x came as %x", body, got)
		}
	})
}

// drawHeader makes a NATS header block of any order, case and spacing.
func drawHeader(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("NATS/1.0\r\n")
	for range rapid.IntRange(1, 5).Draw(t, "fields") {
		name := rapid.SampledFrom([]string{"A", "a", "Content-Type", "X--y", "ü"}).Draw(t, "name")
		space := rapid.SampledFrom([]string{"", " ", "  ", "\t"})
		value := rapid.StringMatching(`[ -9;-~äö]{0,20}`).Draw(t, "value")
		b.WriteString(name + ":" + space.Draw(t, "before") + value + space.Draw(t, "after") + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

func TestExactNATS(t *testing.T) {
	s := startCrossdoor(t)
	js := s.jetstream(t)
	_, err := js.CreateStream(within(t), jetstream.StreamConfig{Name: "E", Subjects: []string{"exact"}})
	must(t, err)
	c, r := dialRaw(t, s.addrs["nats"])
	line := func() string {
		l, err := r.ReadString('\n')
		must(t, err)
		return l
	}
	line() // INFO
	fmt.Fprint(c, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"echo\":true}\r\nSUB exact 1\r\nSUB back.* 2\r\nPING\r\n")
	for line() != "PONG\r\n" {
	}
	// message reads a delivery to a sid and passes over others.
	message := func(sid string) []byte {
		for {
			words := strings.Fields(line())
			if words[0] != "MSG" && words[0] != "HMSG" {
				continue
			}
			n, err := strconv.Atoi(words[len(words)-1])
			must(t, err)
			data := make([]byte, n+2)
			_, err = io.ReadFull(r, data)
			must(t, err)
			if words[2] == sid {
				return data[:n]
			}
		}
	}
	seq := 0
	rapid.Check(t, func(rt *rapid.T) {
		h, payload := drawHeader(rt), rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(rt, "payload")
		fmt.Fprintf(c, "HPUB exact back.ack %d %d\r\n%s%s\r\n", len(h), len(h)+len(payload), h, payload)
		seq++
		if got, want := message("1"), append([]byte(h), payload...); !bytes.Equal(got, want) {
			rt.Fatalf("%q came as %q", want, got)
		}
		message("2") // it is stored
		req := fmt.Sprintf(`{"seq":%d}`, seq)
		fmt.Fprintf(c, "PUB $JS.API.STREAM.MSG.GET.E back.get %d\r\n%s\r\n", len(req), req)
		var answer struct {
			Message struct{ Hdrs, Data string }
		}
		must(t, json.Unmarshal(message("2"), &answer))
		hdrs, err := base64.StdEncoding.DecodeString(answer.Message.Hdrs)
		must(t, err)
		data, err := base64.StdEncoding.DecodeString(answer.Message.Data)
		must(t, err)
		if string(hdrs) != h || !bytes.Equal(data, payload) {
			rt.Fatalf("%q %q is stored as %q %q", h, payload, hdrs, data)
		}
	})
}

// drawBatch makes a record batch, compressed in one of the ways.
func drawBatch(t *rapid.T) []byte {
	n := rapid.IntRange(1, 5).Draw(t, "records")
	var records []byte
	field := rapid.SliceOfN(rapid.Byte(), 0, 30)
	maybe := func(name string) []byte {
		if rapid.Bool().Draw(t, name+" is null") {
			return nil
		}
		return append([]byte{}, field.Draw(t, name)...)
	}
	for i := range n {
		rec := kmsg.Record{OffsetDelta: int32(i), TimestampDelta64: int64(i), Key: maybe("key"), Value: maybe("value")}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			rec.Headers = append(rec.Headers, kmsg.Header{Key: rapid.SampledFrom([]string{"a", "a", "B", ""}).Draw(t, "name"), Value: maybe("header")})
		}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1)
		records = rec.AppendTo(records)
	}
	codec := rapid.IntRange(0, 4).Draw(t, "codec")
	var packed bytes.Buffer
	switch codec {
	case 0:
		packed.Write(records)
	case 1:
		w := gzip.NewWriter(&packed)
		w.Write(records)
		w.Close()
	case 2:
		packed.Write(s2.EncodeSnappy(nil, records))
	case 3:
		w := lz4.NewWriter(&packed)
		w.Write(records)
		w.Close()
	case 4:
		w, err := zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		w.Write(records)
		w.Close()
	}
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2,
		Attributes: int16(codec), LastOffsetDelta: int32(n - 1), FirstTimestamp: now, MaxTimestamp: now + int64(n-1),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n), Records: packed.Bytes(),
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func TestExactKafka(t *testing.T) {
	s := startCrossdoor(t)
	s.topic(t, "exact", 1, nil)
	c := s.kafka()
	meta := kmsg.NewMetadataRequest()
	topic := "exact"
	meta.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	m, err := meta.RequestWith(within(t), c)
	must(t, err)
	id := m.Topics[0].TopicID
	offset := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		batch := drawBatch(rt)
		p := kmsg.NewProduceRequest()
		p.Acks, p.TimeoutMillis = -1, 10000
		p.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, TopicID: id, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch}}}}
		done, err := p.RequestWith(within(t), c)
		must(t, err)
		if got := done.Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != offset {
			rt.Fatalf("produce: code %d, %v, offset %d, want %d", got.ErrorCode, unptr(got.ErrorMessage), got.BaseOffset, offset)
		}
		f := kmsg.NewFetchRequest()
		f.MaxWaitMillis, f.MinBytes, f.MaxBytes, f.SessionEpoch = 1000, 1, 1<<20, -1
		part := kmsg.NewFetchRequestTopicPartition()
		part.FetchOffset, part.PartitionMaxBytes = offset, 1<<20
		f.Topics = []kmsg.FetchRequestTopic{{Topic: topic, TopicID: id, Partitions: []kmsg.FetchRequestTopicPartition{part}}}
		fetched, err := f.RequestWith(within(t), c)
		must(t, err)
		got := fetched.Topics[0].Partitions[0].RecordBatches
		if len(got) != len(batch) || int64(binary.BigEndian.Uint64(got)) != offset {
			rt.Fatalf("fetched %d bytes at %d, want %d at %d", len(got), binary.BigEndian.Uint64(got), len(batch), offset)
		}
		// What the broker assigns: the base offset and the leader's epoch.
		copy(got[:8], batch[:8])
		copy(got[12:16], batch[12:16])
		if !bytes.Equal(got, batch) {
			rt.Fatalf("the batch\n%x came as\n%x", batch, got)
		}
		offset += int64(binary.BigEndian.Uint32(batch[23:])) + 1
	})
}

func unptr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
