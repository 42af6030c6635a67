package kafkawire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// ListOffsets (2), versions 1 to 11; OffsetForLeaderEpoch (23), 2 to 4;
// DeleteRecords (21), 0 to 2. Source: spec 2.5.

// The timestamps that ask for a place rather than a time.
const (
	atLatest        = -1
	atEarliest      = -2
	atMaxTimestamp  = -3
	atEarliestLocal = -4
	atLatestTiered  = -5
	atEarliestCopy  = -6
)

// sinceVersion is the first version of ListOffsets that knows a special timestamp.
func sinceVersion(ts int64) int16 {
	switch ts {
	case atMaxTimestamp:
		return 7
	case atEarliestLocal:
		return 8
	case atLatestTiered:
		return 9
	case atEarliestCopy:
		return 11
	}
	return 1
}

func (c *conn) handleListOffsets(_ *slot, q *kmsg.ListOffsetsRequest) kmsg.Response {
	r := kmsg.NewPtrListOffsetsResponse()
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewListOffsetsResponseTopic()
		a.Topic = w.Topic
		t := c.s.topics.byName(w.Topic)
		seen := make(map[int32]bool)
		for j := range w.Partitions {
			p := &w.Partitions[j]
			if seen[p.Partition] {
				continue
			}
			seen[p.Partition] = true
			o := kmsg.NewListOffsetsResponseTopicPartition()
			o.Partition, o.Offset, o.Timestamp, o.LeaderEpoch = p.Partition, -1, -1, -1
			o.ErrorCode = c.listOffset(&o, t, p, q)
			a.Partitions = append(a.Partitions, o)
		}
		r.Topics = append(r.Topics, a)
	}
	return r
}

func (c *conn) listOffset(o *kmsg.ListOffsetsResponseTopicPartition, t *topic, p *kmsg.ListOffsetsRequestTopicPartition, q *kmsg.ListOffsetsRequest) int16 {
	if t == nil || t.log(p.Partition) == nil {
		return errUnknownTopic
	}
	if code := checkEpoch(p.CurrentLeaderEpoch); code != 0 {
		return code
	}
	if q.Version < sinceVersion(p.Timestamp) || p.Timestamp < atEarliestCopy {
		return errUnsupportedVersion
	}
	l := t.log(p.Partition)
	switch p.Timestamp {
	case atLatest:
		o.Offset, o.LeaderEpoch = int64(l.End()), leaderEpoch
	case atEarliest, atEarliestLocal:
		o.Offset, o.LeaderEpoch = int64(l.Start()), leaderEpoch
	case atLatestTiered, atEarliestCopy:
		// Nothing is tiered.
	default:
		at, ms, err := core.Offset(-1), int64(-1), error(nil)
		if p.Timestamp == atMaxTimestamp {
			at, ms, err = c.s.latestRecord(l)
		} else {
			at, ms, err = c.s.firstRecord(l, p.Timestamp)
		}
		if err != nil {
			c.s.log.Error("kafka: look up a time", "topic", t.name, "partition", p.Partition, "err", err)
			return readCode(err)
		}
		if at >= 0 {
			o.Offset, o.Timestamp, o.LeaderEpoch = int64(at), ms, leaderEpoch
		}
	}
	return 0
}

// checkEpoch compares the leader epoch that a client knows with ours; -1 is not
// compared.
func checkEpoch(e int32) int16 {
	switch {
	case e > leaderEpoch:
		return errUnknownEpoch
	case e < leaderEpoch && e != -1:
		return errFencedEpoch
	}
	return 0
}

// maxMillis is the last millisecond that core can tell.
const maxMillis = (1<<63 - 1) / int64(time.Millisecond)

// lookAhead is how many entries are read at a time to find a record by time.
const lookAhead = 16

// firstRecord is the first record with a timestamp of at least ms; -1 if there
// is none. An entry's time is its largest timestamp, so the log's own index
// leads to the entry; only where that record was deleted are later ones read.
func (s *Server) firstRecord(l *core.Log, ms int64) (core.Offset, int64, error) {
	if ms > maxMillis {
		return -1, -1, nil
	}
	at, err := l.OffsetAt(ms * int64(time.Millisecond))
	if err != nil {
		return -1, -1, err
	}
	for at < l.End() {
		entries, next, err := l.Read(at, core.Limit{Entries: lookAhead}, nil)
		if err != nil || len(entries) == 0 {
			return -1, -1, err
		}
		for i := range entries {
			found, t := core.Offset(-1), int64(-1)
			err := s.eachTime(&entries[i], func(o core.Offset, ts int64) bool {
				if o >= l.Start() && ts >= ms && l.Live(o) {
					found, t = o, ts
				}
				return found < 0
			})
			if err != nil || found >= 0 {
				return found, t, err
			}
		}
		at = next
	}
	return -1, -1, nil
}

// latestRecord is the first record with the largest timestamp. The log finds
// the first entry at or after a time; the largest time for which it finds one is
// reached by halving.
func (s *Server) latestRecord(l *core.Log) (core.Offset, int64, error) {
	if l.Start() == l.End() {
		return -1, -1, nil
	}
	lo, hi := int64(0), int64(1<<63-1) // an entry at or after lo, none after hi
	if o, err := l.OffsetAt(lo); err != nil || o >= l.End() {
		return -1, -1, err
	}
	for lo < hi {
		mid := lo + (hi-lo)/2 + 1
		o, err := l.OffsetAt(mid)
		if err != nil {
			return -1, -1, err
		}
		if o < l.End() {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	at, err := l.OffsetAt(lo)
	if err != nil {
		return -1, -1, err
	}
	entries, _, err := l.Read(at, core.Limit{Entries: 1}, nil)
	if err != nil || len(entries) == 0 {
		return -1, -1, err
	}
	found, top := core.Offset(-1), int64(-1)
	err = s.eachTime(&entries[0], func(o core.Offset, ts int64) bool {
		if ts > top {
			found, top = o, ts
		}
		return true
	})
	return found, top, err
}

// eachTime calls f with offset and timestamp of an entry's records until it
// returns false.
func (s *Server) eachTime(e *core.Entry, f func(o core.Offset, ms int64) bool) error {
	if e.Format != Format {
		ms, err := s.broker.Codec(e.Format).Messages(e, nil)
		for i := range ms {
			if !ms[i].Hidden && !f(e.Offset+core.Offset(i), ms[i].Time/int64(time.Millisecond)) {
				break
			}
		}
		return err
	}
	b, err := wire.ParseStored(e.Data)
	if err != nil {
		return err
	}
	if b.LogAppendTime() {
		f(e.Offset, b.MaxTimestamp())
		return nil
	}
	payload, err := b.Payload(nil, maxInflated)
	if err != nil {
		return err
	}
	recs := wire.NewRecords(b, payload)
	recs.SkipHeaders = true
	var rec wire.Record
	for recs.Next(&rec) {
		if !f(e.Offset+core.Offset(rec.OffsetDelta), recordTime(b, &rec)) {
			return nil
		}
	}
	return recs.Err()
}

func (c *conn) handleOffsetForLeaderEpoch(_ *slot, q *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	r := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewOffsetForLeaderEpochResponseTopic()
		a.Topic = w.Topic
		t := c.s.topics.byName(w.Topic)
		for j := range w.Partitions {
			p := &w.Partitions[j]
			o := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			o.Partition, o.LeaderEpoch, o.EndOffset = p.Partition, -1, -1
			switch {
			case t == nil || t.log(p.Partition) == nil:
				o.ErrorCode = errUnknownTopic
			case checkEpoch(p.CurrentLeaderEpoch) != 0:
				o.ErrorCode = checkEpoch(p.CurrentLeaderEpoch)
			case p.LeaderEpoch == leaderEpoch:
				o.LeaderEpoch, o.EndOffset = leaderEpoch, int64(t.log(p.Partition).End())
			}
			a.Partitions = append(a.Partitions, o)
		}
		r.Topics = append(r.Topics, a)
	}
	return r
}

func (c *conn) handleDeleteRecords(_ *slot, q *kmsg.DeleteRecordsRequest) kmsg.Response {
	r := kmsg.NewPtrDeleteRecordsResponse()
	type cut struct {
		topic     *topic
		log       *core.Log
		partition int32
		before    core.Offset
		a         *kmsg.DeleteRecordsResponseTopicPartition
	}
	var cuts []cut
	for i := range q.Topics {
		w := &q.Topics[i]
		a := kmsg.NewDeleteRecordsResponseTopic()
		a.Topic = w.Topic
		a.Partitions = make([]kmsg.DeleteRecordsResponseTopicPartition, len(w.Partitions))
		t := c.s.topics.byName(w.Topic)
		for j := range w.Partitions {
			p, o := &w.Partitions[j], &a.Partitions[j]
			o.Default()
			o.Partition, o.LowWatermark = p.Partition, -1
			switch {
			case t == nil || t.log(p.Partition) == nil:
				o.ErrorCode = errUnknownTopic
			case !t.own:
				o.ErrorCode = errTopicDenied
			case t.internal:
				o.ErrorCode = errInvalidTopic
			default:
				l := t.log(p.Partition)
				before := core.Offset(p.Offset)
				if before == -1 {
					before = l.End()
				}
				if before < 0 || before > l.End() {
					o.ErrorCode = errOffsetOutOfRange
					break
				}
				cuts = append(cuts, cut{t, l, p.Partition, before, o})
			}
		}
		r.Topics = append(r.Topics, a)
	}
	if len(cuts) == 0 {
		return r
	}
	err := c.s.broker.Committed(func(tx *core.Tx) error {
		for _, u := range cuts {
			u.topic.stream.Trim(tx, int(u.partition), u.before)
		}
		return nil
	})
	for _, u := range cuts {
		if err != nil {
			u.a.ErrorCode = code(err)
			continue
		}
		u.a.LowWatermark = int64(u.log.Start())
	}
	return r
}
