package kafkawire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire"
	"trivium/kafkawire/wire"
)

// raw is a connection that sends what a test says.
type raw struct {
	testing.TB
	net.Conn
	corr int32
}

func (s *server) raw(t testing.TB) *raw {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &raw{TB: t, Conn: c}
}

// frame is a request as bytes.
func (r *raw) frame(q kmsg.Request) []byte {
	r.corr++
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, q, r.corr)
}

func (r *raw) send(b []byte) {
	r.Helper()
	if _, err := r.Write(b); err != nil {
		r.Fatal(err)
	}
}

// answer reads one response: its correlation id and what comes after.
func (r *raw) answer() (int32, []byte) {
	r.Helper()
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		r.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(r, b); err != nil {
		r.Fatal(err)
	}
	return int32(binary.BigEndian.Uint32(head[4:])), b
}

// closed expects the server to close the connection without a word.
func (r *raw) closed(what string) {
	r.Helper()
	n, err := r.Read(make([]byte, 1))
	if n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		r.Errorf("%s: %d bytes, %v: want a close", what, n, err)
	}
}

func request0(key, version int16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 7, 0xff, 0xff)
	b = append(b, body...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func TestBadFrames(t *testing.T) {
	s := start(t, func(o *kafkawire.Options) { o.MaxRequestBytes, o.MaxControlBytes = 1<<20, 1<<16 })
	produce := kmsg.NewPtrProduceRequest()
	produce.SetVersion(9)
	good := (&raw{TB: t}).frame(produce)
	for name, b := range map[string][]byte{
		"negative size":             {0xff, 0xff, 0xff, 0xff},
		"size 0":                    {0, 0, 0, 0},
		"size over the limit":       {0, 0x10, 0, 1},
		"a control request over it": {0, 1, 0, 1, 0, 3},
		"TLS":                       {0x16, 0x03, 0x01, 0x00, 0xf4, 1, 0, 0, 0xf0, 3, 3},
		"HTTP":                      []byte("GET / HTTP/1.1\r\n\r\n"),
		"an unknown key":            request0(999, 0),
		"a negative key":            request0(-1, 0),
		"a key not served":          request0(24, 0),
		"a version not served":      request0(wire.Metadata, 99),
		"Produce 2":                 request0(wire.Produce, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
		"Fetch 3":                   request0(wire.Fetch, 3),
		"a body too short":          request0(wire.Metadata, 1),
		"an array beyond the body":  request0(wire.Metadata, 1, 0x7f, 0xff, 0xff, 0xff),
		"a produce beyond itself":   request0(wire.Produce, 3, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff),
		"a produce cut short":       append(binary.BigEndian.AppendUint32(nil, uint32(len(good)-6)), good[4:len(good)-2]...),
		"tags without end":          request0(wire.Metadata, 12, 0xff, 0xff, 0xff, 0xff, 0x0f),
	} {
		r := s.raw(t)
		r.send(b)
		r.closed(name)
	}
	// The server is there still, and a request with more bytes than it needs is taken.
	r := s.raw(t)
	r.send(request0(wire.Metadata, 1, 0, 0, 0, 0, 1, 2, 3))
	if corr, _ := r.answer(); corr != 7 {
		t.Fatal(corr)
	}
	if m := s.door.Metrics(); m.ProtocolErrors == 0 {
		t.Error("protocol errors are not counted")
	}
}

func TestApiVersions(t *testing.T) {
	s := start(t, nil)
	r := s.raw(t)
	// A version from the future is answered in version 0, and the connection goes on.
	r.send(request0(wire.ApiVersions, 77, 0, 0, 0))
	if corr, b := r.answer(); corr != 7 || !bytes.Equal(b, []byte{0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4}) {
		t.Fatalf("%d % x", corr, b)
	}
	for v := int16(0); v <= 4; v++ {
		q := kmsg.NewPtrApiVersionsRequest()
		q.Version, q.ClientSoftwareName, q.ClientSoftwareVersion = v, "test", "1.0"
		r.send(r.frame(q))
		corr, b := r.answer()
		a := kmsg.NewPtrApiVersionsResponse()
		a.Version = v
		if err := a.ReadFrom(b); err != nil || corr != r.corr || a.ErrorCode != 0 {
			t.Fatalf("version %d: %v %+v", v, err, a)
		}
		served := map[int16][2]int16{}
		for _, k := range a.ApiKeys {
			served[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
		}
		if served[wire.Produce] != [2]int16{0, 13} || served[wire.Fetch] != [2]int16{4, 18} || served[wire.ApiVersions] != [2]int16{0, 4} {
			t.Fatalf("version %d: %v", v, served)
		}
		for _, key := range []int16{17, 24, 25, 26, 28, 29, 36, 68, 76} {
			if _, ok := served[key]; ok {
				t.Errorf("version %d: key %d is advertised and not served", v, key)
			}
		}
		if v >= 3 && (a.FinalizedFeaturesEpoch < 0 || len(a.FinalizedFeatures) == 0) {
			t.Errorf("version %d: %+v", v, a)
		}
		for _, f := range a.SupportedFeatures {
			if v == 3 && f.MinVersion == 0 {
				t.Errorf("version 3 lists %s with minimum 0, which its readers refuse", f.Name)
			}
		}
	}
	q := kmsg.NewPtrApiVersionsRequest()
	q.Version, q.ClientSoftwareName = 3, "-bad-"
	r.send(r.frame(q))
	if _, b := r.answer(); int16(binary.BigEndian.Uint16(b)) != 42 {
		t.Fatalf("% x", b)
	}
}

// Requests that come all at once, in pieces of any size, are answered in order,
// also when the first of them waits and produces are mixed with others.
func TestPipeline(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	id := s.topicID("t")
	for _, chunk := range []int{1, 7, 1000, 1 << 20} {
		r := s.raw(t)
		var all []byte
		want := []int32{}
		kinds := map[int32]kmsg.Request{}
		add := func(q kmsg.Request) {
			b := r.frame(q)
			all = append(all, b...)
			kinds[r.corr] = q
			want = append(want, r.corr)
		}
		offset := int64(-1)
		for range 20 {
			f := kmsg.NewPtrFetchRequest()
			f.Version, f.MaxWaitMillis, f.MinBytes, f.MaxBytes, f.SessionEpoch = 12, 10, 1<<20, 1<<20, -1
			f.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{{CurrentLeaderEpoch: -1, PartitionMaxBytes: 1 << 20}}}}
			add(f)
			for range 3 {
				p := kmsg.NewPtrProduceRequest()
				p.Version, p.Acks = 13, -1
				p.Topics = []kmsg.ProduceRequestTopic{{TopicID: id, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch(1+rand.IntN(3), nil)}}}}
				add(p)
			}
			m := kmsg.NewPtrMetadataRequest()
			m.Version = 9
			add(m)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for from := 0; from < len(all); from += chunk {
				if _, err := r.Write(all[from:min(from+chunk, len(all))]); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		}()
		for _, corr := range want {
			got, b := r.answer()
			if got != corr {
				t.Fatalf("answer %d, want %d", got, corr)
			}
			q := kinds[corr]
			a := q.ResponseKind()
			if q.IsFlexible() {
				b = b[1:]
			}
			if err := a.ReadFrom(b); err != nil {
				t.Fatalf("%T: %v", a, err)
			}
			if p, ok := a.(*kmsg.ProduceResponse); ok {
				tp := p.Topics[0].Partitions[0]
				if tp.ErrorCode != 0 || tp.BaseOffset <= offset {
					t.Fatalf("offset %d after %d, error %d", tp.BaseOffset, offset, tp.ErrorCode)
				}
				offset = tp.BaseOffset
			}
		}
		<-done
	}
}

func (s *server) topicID(name string) [16]byte {
	s.Helper()
	ts, err := s.admin().ListTopics(s.ctx(), name)
	if err != nil || ts[name].Err != nil {
		s.Fatal(err, ts[name].Err)
	}
	return ts[name].ID
}

// acks=0 is never answered; if it fails, the connection is closed.
func TestNoAcks(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	r := s.raw(t)
	p := kmsg.NewPtrProduceRequest()
	p.Version = 9
	p.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch(2, nil)}}}}
	r.send(r.frame(p))
	m := kmsg.NewPtrMetadataRequest()
	m.Version = 9
	r.send(r.frame(m))
	if corr, _ := r.answer(); corr != r.corr {
		t.Fatalf("answer %d, want that of the request after the produce", corr)
	}
	c := s.client(kgo.ConsumeTopics("t"))
	s.consume(c, 2)
	p.Topics[0].Topic = "nosuch"
	r.send(r.frame(p))
	r.closed("a failed produce without acks")
}

// A client that says nothing is let go.
func TestSilent(t *testing.T) {
	s := start(t, func(o *kafkawire.Options) { o.IdleTimeout = 50 * time.Millisecond })
	silent := s.raw(t)
	silent.closed("silence")
	begun := s.raw(t)
	begun.send([]byte{0, 0, 0x10, 0, 0, 0, 0, 9, 1, 2, 3})
	begun.closed("half a request")
}

// A client that never reads is not written to without end, and leaves nothing behind.
func TestDeaf(t *testing.T) {
	s := start(t, func(o *kafkawire.Options) { o.WriteTimeout = 50 * time.Millisecond })
	s.topic("t", 1, nil)
	c := s.client()
	s.produce(c, "t", 1)
	big := make([]byte, 900_000)
	for i := range big {
		big[i] = byte(rand.Uint32())
	}
	for range 10 {
		if err := c.ProduceSync(s.ctx(), &kgo.Record{Topic: "t", Value: big}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	before := s.door.Metrics().Connections // fewer when the server has seen the last of that client
	deaf := s.raw(t)
	f := kmsg.NewPtrFetchRequest()
	f.Version, f.MaxBytes, f.SessionEpoch = 12, 50<<20, -1
	f.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{{CurrentLeaderEpoch: -1, PartitionMaxBytes: 50 << 20}}}}
	var err error
	for err == nil {
		_, err = deaf.Write(deaf.frame(f))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the deaf client is not cut")
	}
	s.eventually("it is forgotten", func() bool { return s.door.Metrics().Connections <= before })
}

// eventually polls until ok holds.
func (s *server) eventually(what string, ok func() bool) {
	s.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			s.Fatal("not so in time: ", what)
		}
	}
}

// A client that is in a long poll, a join and a produce when the server stops:
// the produce is answered if it was stored, and everything ends.
func TestShutdownWithClients(t *testing.T) {
	s := start(t, nil)
	s.topic("t", 1, nil)
	var conns []*raw
	for range 20 {
		r := s.raw(t)
		f := kmsg.NewPtrFetchRequest()
		f.Version, f.MaxWaitMillis, f.MinBytes, f.MaxBytes, f.SessionEpoch = 12, 60_000, 1, 1<<20, -1
		f.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{{CurrentLeaderEpoch: -1, PartitionMaxBytes: 1 << 20}}}}
		r.send(r.frame(f))
		conns = append(conns, r)
	}
	s.restart()
	for _, r := range conns {
		r.closed("shutdown")
	}
}
