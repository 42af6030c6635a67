package wire

// ProduceMin is the first version that is answered; older ones carried records
// of magic 0 and 1. Lower ones are advertised all the same: see the server.
const ProduceMin, ProduceMax = 3, 13

// maxProducePartitions bounds the batches of one request: what is kept of one is
// many times the few bytes that it may take.
const maxProducePartitions = 1 << 16

// ProduceRequest is a decoded Produce request and, once its results are filled
// in, its response. It refers to the frame, and is meant to be used again.
type ProduceRequest struct {
	TransactionID []byte
	Acks          int16
	Timeout       int32
	Topics        []ProduceTopic
	Partitions    []ProducePartition
}

// ProduceTopic is a run of the request's partitions, [From, To).
type ProduceTopic struct {
	Name     []byte   // before version 13
	ID       [16]byte // from version 13 on
	From, To int
}

// ProducePartition is one batch, and what became of it.
type ProducePartition struct {
	Partition int32
	Records   []byte // nil is null

	// Dropped: a later one of the request is for the same partition, and counts.
	Dropped    bool
	Err        int16
	Base       int64
	AppendTime int64 // ms; -1 if the producer's times are kept
	LogStart   int64
	Message    string
	Refused    []RefusedRecord
}

// RefusedRecord names a record that made its batch be refused.
type RefusedRecord struct {
	Index   int32
	Message string
}

// Fail makes p the answer for a batch that was not stored.
func (p *ProducePartition) Fail(code int16, message string) {
	p.Err, p.Message = code, message
	p.Base, p.AppendTime, p.LogStart = -1, -1, -1
}

// Decode reads the body of a request.
func (q *ProduceRequest) Decode(version int16, body []byte) error {
	flex := Flexible(Produce, version)
	r := NewReader(body)
	q.TransactionID = r.String(flex)
	q.Acks, q.Timeout = r.Int16(), r.Int32()
	q.Topics, q.Partitions = q.Topics[:0], q.Partitions[:0]
	for n := r.Count(flex, 5); n > 0 && !r.bad; n-- {
		t := ProduceTopic{From: len(q.Partitions)}
		if version >= 13 {
			t.ID = r.UUID()
		} else {
			if t.Name = r.String(flex); t.Name == nil {
				r.fail()
			}
		}
		for m := r.Count(flex, 5); m > 0 && !r.bad; m-- {
			p := ProducePartition{Partition: r.Int32(), AppendTime: -1}
			p.Records = r.Bytes(flex)
			r.Tags(flex)
			if q.Partitions = append(q.Partitions, p); len(q.Partitions) > maxProducePartitions {
				r.fail()
			}
		}
		r.Tags(flex)
		t.To = len(q.Partitions)
		dropEarlier(q.Partitions[t.From:])
		q.Topics = append(q.Topics, t)
	}
	r.Tags(flex)
	return r.Err()
}

// dropEarlier marks all but the last batch for each partition.
func dropEarlier(ps []ProducePartition) {
	const few = 16
	if len(ps) <= few {
		for i := range ps {
			for j := i + 1; j < len(ps); j++ {
				ps[i].Dropped = ps[i].Dropped || ps[j].Partition == ps[i].Partition
			}
		}
		return
	}
	last := make(map[int32]int, len(ps))
	for i := range ps {
		if j, ok := last[ps[i].Partition]; ok {
			ps[j].Dropped = true
		}
		last[ps[i].Partition] = i
	}
}

// AppendResponse appends the body of the response.
func (q *ProduceRequest) AppendResponse(dst []byte, version int16) []byte {
	flex := Flexible(Produce, version)
	dst = appendCount(dst, flex, len(q.Topics))
	for i := range q.Topics {
		t := &q.Topics[i]
		if version >= 13 {
			dst = append(dst, t.ID[:]...)
		} else {
			dst = appendString(dst, flex, string(t.Name))
		}
		ps := q.Partitions[t.From:t.To]
		n := 0
		for j := range ps {
			if !ps[j].Dropped {
				n++
			}
		}
		dst = appendCount(dst, flex, n)
		for j := range ps {
			if p := &ps[j]; !p.Dropped {
				dst = p.append(dst, version, flex)
			}
		}
		dst = appendNoTags(dst, flex)
	}
	dst = appendInt32(dst, 0) // throttle time
	return appendNoTags(dst, flex)
}

func (p *ProducePartition) append(dst []byte, version int16, flex bool) []byte {
	dst = appendInt32(dst, p.Partition)
	dst = appendInt16(dst, p.Err)
	dst = appendInt64(dst, p.Base)
	dst = appendInt64(dst, p.AppendTime)
	if version >= 5 {
		dst = appendInt64(dst, p.LogStart)
	}
	if version >= 8 {
		dst = appendCount(dst, flex, len(p.Refused))
		for _, e := range p.Refused {
			dst = appendInt32(dst, e.Index)
			dst = appendNullable(dst, flex, e.Message)
			dst = appendNoTags(dst, flex)
		}
		dst = appendNullable(dst, flex, p.Message)
	}
	return appendNoTags(dst, flex)
}
