package wire

import "encoding/binary"

// The versions of Fetch that are served.
const FetchMin, FetchMax = 4, 18

// FetchRequest is a decoded Fetch request. It refers to the frame, and is meant
// to be used again.
type FetchRequest struct {
	ReplicaID                       int32
	MaxWait, MinBytes, MaxBytes     int32
	ReadCommitted                   bool
	SessionID, SessionEpoch         int32
	Topics, Forgotten               []FetchTopic
	Partitions, ForgottenPartitions []FetchPartition
}

// FetchTopic is a run of partitions, [From, To).
type FetchTopic struct {
	Name     []byte   // before version 13
	ID       [16]byte // from version 13 on
	From, To int
}

// FetchPartition is what is wanted of one partition. Forgotten ones have the
// number only.
type FetchPartition struct {
	Partition   int32
	LeaderEpoch int32 // -1 = unknown
	Offset      int64
	MaxBytes    int32
}

// Decode reads the body of a request.
func (q *FetchRequest) Decode(version int16, body []byte) error {
	flex := Flexible(Fetch, version)
	r := NewReader(body)
	q.ReplicaID = -1
	if version <= 14 {
		q.ReplicaID = r.Int32()
	}
	q.MaxWait, q.MinBytes, q.MaxBytes = r.Int32(), r.Int32(), r.Int32()
	q.ReadCommitted = r.Int8() == 1
	q.SessionID, q.SessionEpoch = 0, -1
	if version >= 7 {
		q.SessionID, q.SessionEpoch = r.Int32(), r.Int32()
	}
	q.Topics, q.Partitions = q.Topics[:0], q.Partitions[:0]
	for n := r.Count(flex, 5); n > 0 && !r.bad; n-- {
		t := r.fetchTopic(version, flex)
		t.From = len(q.Partitions)
		for m := r.Count(flex, 16); m > 0 && !r.bad; m-- {
			p := FetchPartition{Partition: r.Int32(), LeaderEpoch: -1}
			if version >= 9 {
				p.LeaderEpoch = r.Int32()
			}
			p.Offset = r.Int64()
			if version >= 12 {
				r.Int32() // last fetched epoch: followers only
			}
			if version >= 5 {
				r.Int64() // log start offset: followers only
			}
			p.MaxBytes = r.Int32()
			r.Tags(flex)
			q.Partitions = append(q.Partitions, p)
		}
		r.Tags(flex)
		t.To = len(q.Partitions)
		q.Topics = append(q.Topics, t)
	}
	q.Forgotten, q.ForgottenPartitions = q.Forgotten[:0], q.ForgottenPartitions[:0]
	if version >= 7 {
		for n := r.Count(flex, 5); n > 0 && !r.bad; n-- {
			t := r.fetchTopic(version, flex)
			t.From = len(q.ForgottenPartitions)
			for m := r.Count(flex, 4); m > 0 && !r.bad; m-- {
				q.ForgottenPartitions = append(q.ForgottenPartitions, FetchPartition{Partition: r.Int32()})
			}
			r.Tags(flex)
			t.To = len(q.ForgottenPartitions)
			q.Forgotten = append(q.Forgotten, t)
		}
	}
	if version >= 11 {
		r.String(flex) // the rack: there is one replica
	}
	if flex {
		for n := r.Uvarint(); n > 0 && !r.bad; n-- {
			tag := r.Uvarint()
			f := NewReader(r.Span(int(r.Uvarint())))
			if tag == 1 && version >= 15 {
				q.ReplicaID = f.Int32()
			}
		}
	}
	return r.Err()
}

func (r *Reader) fetchTopic(version int16, flex bool) (t FetchTopic) {
	if version >= 13 {
		t.ID = r.UUID()
	} else {
		t.Name = r.String(flex)
	}
	return t
}

// FetchResult is the answer for one partition; its records follow it.
type FetchResult struct {
	Partition                    int32
	Err                          int16
	HighWatermark, Stable, Start int64
}

// A Fetch response is appended piece by piece, because its records are sent
// from where they are: Head, then for each topic Topic, its Partitions each
// followed by so many bytes of records and an End, and an End; then an End.

// AppendFetchHead begins the body.
func AppendFetchHead(dst []byte, version, code int16, session int32, topics int) []byte {
	dst = appendInt32(dst, 0) // throttle time
	if version >= 7 {
		dst = appendInt16(dst, code)
		dst = appendInt32(dst, session)
	}
	return appendCount(dst, Flexible(Fetch, version), topics)
}

// AppendFetchTopic begins a topic.
func AppendFetchTopic(dst []byte, version int16, name string, id [16]byte, partitions int) []byte {
	flex := Flexible(Fetch, version)
	if version >= 13 {
		dst = append(dst, id[:]...)
	} else {
		dst = appendString(dst, flex, name)
	}
	return appendCount(dst, flex, partitions)
}

// AppendFetchPartition begins a partition with size bytes of records.
func AppendFetchPartition(dst []byte, version int16, p *FetchResult, committed bool, size int) []byte {
	flex := Flexible(Fetch, version)
	dst = appendInt32(dst, p.Partition)
	dst = appendInt16(dst, p.Err)
	dst = appendInt64(dst, p.HighWatermark)
	dst = appendInt64(dst, p.Stable)
	if version >= 5 {
		dst = appendInt64(dst, p.Start)
	}
	// Aborted transactions: null for readers of everything, as Kafka does.
	switch {
	case committed:
		dst = appendCount(dst, flex, 0)
	case flex:
		dst = append(dst, 0)
	default:
		dst = appendInt32(dst, -1)
	}
	if version >= 11 {
		dst = appendInt32(dst, -1) // no preferred replica
	}
	if flex {
		return binary.AppendUvarint(dst, uint64(size)+1)
	}
	return appendInt32(dst, int32(size))
}

// AppendFetchEnd ends a partition, a topic or the response.
func AppendFetchEnd(dst []byte, version int16) []byte {
	return appendNoTags(dst, Flexible(Fetch, version))
}
