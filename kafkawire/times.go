package kafkawire

import (
	"time"

	"trivium/core"
	"trivium/kafkawire/wire"
)

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
