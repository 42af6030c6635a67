package storage

import (
	"errors"
	"os"
)

// Span is a run of stored bytes: the Data of consecutive entries, back to back,
// either in memory or in a file.
type Span struct {
	// Mem holds the bytes, or is nil and the bytes are File[Pos:Pos+Len].
	Mem      []byte
	File     *os.File
	Pos, Len int64
}

// Spans is the result of Log.Raw. Close lets go of the files and the memory: nothing of it may be used after that.
type Spans struct {
	Spans []Span
	// Next is the offset to read on from.
	Next  Offset
	held  []*openRun
	lease Lease
}

func (s *Spans) Close() {
	for _, o := range s.held {
		o.release()
	}
	s.held, s.Spans = nil, nil
	s.lease.End()
}

// Raw is Read for a Log whose entries' Data can be sent as they are, one after
// the other: it returns file ranges for what has settled, so that a caller can
// use sendfile, and memory for what has not. Entries of which every message is
// deleted are left out. It stops before an entry whose Format is not f.
//
// File ranges are not compared with their checksums. What precedes a damaged
// entry is returned without an error; the next call begins with it and reports it.
func (l *Log) Raw(from Offset, f Format, limit Limit) (*Spans, error) {
	var items [64]item
	b := budget{Limit: limit}
	s := &Spans{}
	fail := func(next Offset, err error) (*Spans, error) {
		if len(s.Spans) > 0 {
			return s, nil
		}
		s.Close()
		s.Next = next
		return s, l.s.readError(err)
	}
	for {
		p := l.pick(from, &b, items[:])
		moved := false // to other segments, since it was picked
		for i := range items[:p.n] {
			it := &items[i]
			s.Next = max(from, it.offset)
			var e Entry
			ok, err := l.load(it, &e, &s.lease)
			if err != nil && l.settled(it) {
				p.next, moved = s.Next, true
				break
			}
			if err != nil {
				return fail(it.next(), err)
			}
			if ok && e.Format != f {
				return s, nil
			}
			if ok {
				s.Spans = append(s.Spans, Span{Mem: e.Data, Len: int64(len(e.Data))})
			}
		}
		if p.run != nil {
			next, more, err := l.rawRun(p, f, &b, s)
			if err != nil && l.damaged(p.run) {
				return fail(next, err)
			}
			p.next, p.more = next, more
			if err != nil {
				p.next, moved = s.Next, true
			}
		}
		if p.err != nil {
			return fail(p.next, p.err)
		}
		s.Next = p.next
		switch {
		case moved && len(s.Spans) == 0:
			b = budget{Limit: limit} // nothing that it granted was read
		case moved || !p.more:
			return s, nil
		}
		from = p.next
	}
}

// rawRun adds the picked part of a run to s. On an error s.Next is the offset of
// what is damaged, and next the one after.
func (l *Log) rawRun(p picked, f Format, b *budget, s *Spans) (next Offset, more bool, err error) {
	s.Next = p.from
	o, err := l.s.segments.acquire(l.id, p.run)
	if err != nil {
		return p.run.to, false, err
	}
	s.held = append(s.held, o)
	where := func(err error) error { return corrupt(l.s.segments.where(l.id, p.run), err) }
	var buf [maxBlockEntries]stored
	for i := o.block(p.from); i < len(o.index) && o.index[i].first < p.to; i++ {
		es, err := o.envelopes(i, buf[:0])
		if err != nil {
			return o.blockEnd(i), false, where(err)
		}
		es = l.filter(es, p.from, p.to)
		stop := false
		for k := range es {
			if es[k].Format != f || !b.take(es[k].payload()) {
				es, stop, next = es[:k], true, max(p.from, es[k].Offset)
				break
			}
		}
		if file := l.s.segments.osFile(o, o.index[i].file); file != nil {
			o.prefetch(es)
			for k := range es {
				s.addFile(file, es[k].at, int64(es[k].len))
			}
		} else {
			n, err := o.load(es)
			for k := range es[:n] {
				s.Spans = append(s.Spans, Span{Mem: es[k].Data, Len: int64(es[k].len)})
			}
			if err != nil {
				s.Next = es[n].Offset
				return es[n].Next(), false, where(err)
			}
		}
		if stop {
			return next, false, nil
		}
		s.Next = o.blockEnd(i)
	}
	return p.to, true, nil
}

var errReplaced = errors.New("storage: segment was replaced")

// addFile adds a file range, extending the last one if it goes on there.
func (s *Spans) addFile(f *os.File, at, n int64) {
	if k := len(s.Spans) - 1; k >= 0 {
		if last := &s.Spans[k]; last.File == f && last.Pos+last.Len == at {
			last.Len += n
			return
		}
	}
	s.Spans = append(s.Spans, Span{File: f, Pos: at, Len: n})
}
