package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// inflateLimit bounds what the fuzz targets inflate to.
const inflateLimit = 1 << 20

// seedRequests are requests as a real client sends them.
func seedRequests(f *testing.F) {
	k := kmsg.NewRequestFormatter(kmsg.FormatterClientID("client"))
	for key := range int16(76) {
		q := kmsg.RequestForKey(key)
		if q == nil {
			continue
		}
		for _, v := range []int16{0, q.MaxVersion() / 2, q.MaxVersion()} {
			q.SetVersion(v)
			f.Add(k.AppendRequest(nil, q, 1)[4:])
		}
	}
	for v := int16(ProduceMin); v <= ProduceMax; v++ {
		p := kmsg.NewPtrProduceRequest()
		p.Version, p.Acks = v, -1
		var w Writer
		w.Begin(nil, 0, 1)
		w.Add(&Record{Key: []byte("k"), Value: []byte("v")})
		p.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", TopicID: [16]byte{1}, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: w.End(1)}}}}
		f.Add(k.AppendRequest(nil, p, 2)[4:])
	}
	for v := int16(FetchMin); v <= FetchMax; v++ {
		q := kmsg.NewPtrFetchRequest()
		q.Version = v
		q.Topics = []kmsg.FetchRequestTopic{{Topic: "t", TopicID: [16]byte{1}, Partitions: []kmsg.FetchRequestTopicPartition{{Partition: 1}}}}
		q.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "u", TopicID: [16]byte{2}, Partitions: []int32{3}}}
		f.Add(k.AppendRequest(nil, q, 3)[4:])
	}
}

// Whatever comes as a frame, headers and the requests decoded by hand neither
// panic nor keep more entries than the bytes can hold; what they accept, kmsg
// accepts with the same content.
func FuzzRequest(f *testing.F) {
	seedRequests(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseHeader(frame)
		if err != nil {
			return
		}
		switch h.Key {
		case Produce:
			if h.Version < ProduceMin || h.Version > ProduceMax {
				return
			}
			var q ProduceRequest
			if q.Decode(h.Version, body) != nil {
				return
			}
			if len(q.Partitions)+len(q.Topics) > len(body) {
				t.Fatalf("%d topics and %d partitions from %d bytes", len(q.Topics), len(q.Partitions), len(body))
			}
			k := kmsg.NewPtrProduceRequest()
			k.Version = h.Version
			if err := k.ReadFrom(body); err != nil {
				t.Fatalf("kmsg does not read it: %v", err)
			}
			n := 0
			for i, kt := range k.Topics {
				for j, kp := range kt.Partitions {
					p := &q.Partitions[q.Topics[i].From+j]
					if p.Partition != kp.Partition || !bytes.Equal(p.Records, kp.Records) {
						t.Fatalf("%+v, kmsg reads %+v", p, kp)
					}
					n++
				}
			}
			if n != len(q.Partitions) || q.Acks != k.Acks {
				t.Fatalf("%d partitions, kmsg reads %d", len(q.Partitions), n)
			}
			r := kmsg.NewPtrProduceResponse()
			r.Version = h.Version
			if err := r.ReadFrom(q.AppendResponse(nil, h.Version)); err != nil {
				t.Fatalf("the answer is unreadable: %v", err)
			}
		case Fetch:
			if h.Version < FetchMin || h.Version > FetchMax {
				return
			}
			var q FetchRequest
			if q.Decode(h.Version, body) != nil {
				return
			}
			if len(q.Partitions)+len(q.Topics)+len(q.Forgotten)+len(q.ForgottenPartitions) > len(body) {
				t.Fatal("more entries than bytes")
			}
		default:
			if !Flexible(h.Key, h.Version) || CheckFlexible(h.Key, h.Version, body) != nil {
				return
			}
			q := kmsg.RequestForKey(h.Key)
			q.SetVersion(h.Version)
			// It may refuse a null where none may be, but not take for ever.
			_ = q.ReadFrom(body)
		}
	})
}

// Whatever comes as records, checking, inflating, walking and patching it never
// panics, never inflates beyond the limit, and what is accepted stays acceptable
// after it has been given its place.
func FuzzBatch(f *testing.F) {
	var w Writer
	w.Begin(nil, 0, 1_700_000_000_000)
	for i := range int32(3) {
		w.Add(&Record{OffsetDelta: i, Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 100), Headers: []RecordHeader{{[]byte("h"), nil}}})
	}
	plain := w.End(3)
	f.Add(plain)
	for _, c := range compressed(plain) {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Checksums keep a fuzzer out: it is given a second try with the right one.
		if k := Batch(bytes.Clone(b)); len(k) >= BatchHeader {
			k.seal()
			checkBatch(t, k)
		}
		checkBatch(t, bytes.Clone(b))
	})
}

func checkBatch(t *testing.T, b []byte) {
	k, err := ParseProduced(b)
	if err != nil {
		return
	}
	k.SetPlace(12345, 0)
	if _, err := ParseStored(k); err != nil {
		t.Fatalf("accepted, then not: %v", err)
	}
	payload, err := k.Payload(nil, inflateLimit)
	if err != nil {
		return
	}
	if k.Codec() != None && len(payload) > inflateLimit {
		t.Fatalf("inflated to %d bytes", len(payload))
	}
	recs := NewRecords(k, payload)
	var rec Record
	n := int32(0)
	for recs.Next(&rec) {
		n++
	}
	if recs.Err() == nil && n != k.Count() {
		t.Fatalf("%d records of %d, and no error", n, k.Count())
	}
}
