package kafkawire

import (
	"errors"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// partRead is what a fetch has read of one partition: spans of batches, in order.
type partRead struct {
	log    *core.Log
	err    int16
	size   int
	next   core.Offset // read on from here
	begun  bool
	pieces []piece
}

// piece is a run of batches: as stored, or translated.
type piece struct {
	spans *core.Spans
	mem   []byte
}

// close releases what was read, so that the partition can be read anew.
func (g *partRead) close() {
	for i := range g.pieces {
		if s := g.pieces[i].spans; s != nil {
			s.Close()
		}
	}
	*g = partRead{log: g.log, err: g.err, pieces: g.pieces[:0]}
	clear(g.pieces[:cap(g.pieces)])
}

// emit hands the batches to out, which closes the spans when they are written.
func (g *partRead) emit(out *output) {
	for i := range g.pieces {
		pc := &g.pieces[i]
		if pc.spans == nil {
			out.mem(pc.mem)
			continue
		}
		out.keep(pc.spans)
		spans := pc.spans.Spans
		pc.spans = nil
		for j := range spans {
			if s := &spans[j]; s.Mem != nil {
				out.mem(s.Mem)
			} else {
				out.file(s)
			}
		}
	}
}

// translateEntries is how many entries of other formats are read at a time.
const translateEntries = 64

// readPart reads batches of p up to limit bytes, from where it stopped before.
// If it is the first partition with data, it reads at least one batch.
func (s *Server) readPart(f *fetch, p *fetchPart, limit int, first bool) {
	g := &p.got
	if !g.begun {
		g.begun, g.next = true, core.Offset(p.offset)
	}
	for g.next < g.log.End() {
		left := limit - g.size
		if left <= 0 && !(first && g.size == 0) {
			return
		}
		more, err := s.readSome(f, g, max(left, 1), first && g.size == 0)
		if err != nil {
			s.log.Error("kafka: read", "topic", p.topic.name, "partition", p.partition, "offset", g.next, "err", err)
			if g.size == 0 {
				g.err = readCode(err)
			}
			return
		}
		if !more {
			return
		}
	}
}

func readCode(err error) int16 {
	if _, ok := errors.AsType[*wire.BatchError](err); ok || core.IsCorrupt(err) {
		return errCorrupt
	}
	return errStorage
}

// readSome reads one piece. It reports false if there is nothing more to take.
func (s *Server) readSome(f *fetch, g *partRead, left int, must bool) (bool, error) {
	if f.version >= 10 { // older readers do not know zstd: their batches are looked at
		spans, err := g.log.Raw(g.next, Format, core.Limit{Bytes: left})
		if err != nil {
			return false, err
		}
		n := 0
		for i := range spans.Spans {
			n += int(spanLen(&spans.Spans[i]))
		}
		if n > left && !must {
			spans.Close()
			return false, nil
		}
		if n > 0 {
			g.pieces = append(g.pieces, piece{spans: spans})
			g.size += n
			g.next = spans.Next
			return true, nil
		}
		spans.Close()
	}
	// Another door's entry is next, or a gap.
	entries, next, err := g.log.Read(g.next, core.Limit{Entries: translateEntries, Bytes: left}, nil)
	if err != nil {
		return false, err
	}
	if len(entries) == 0 {
		// Nothing but deleted messages up to the end: a batch without records
		// takes the reader there.
		if next <= g.next {
			return false, nil
		}
		var w wire.Writer
		w.Begin(nil, int64(g.next), 0)
		g.add(w.End(int32(min(next-g.next, 1<<31-1))), next)
		return true, nil
	}
	for i := range entries {
		e := &entries[i]
		var mem []byte
		switch {
		case e.Format != Format:
			if mem, err = s.translate(e); err != nil {
				return false, err
			}
		case f.version >= 10:
			return i > 0, nil // Raw goes on from here
		default:
			b, err := wire.ParseStored(e.Data)
			if err != nil {
				return false, err
			}
			if b.Codec() == wire.Zstd {
				if g.size == 0 {
					g.err = errUnsupportedCodec
				}
				return false, nil
			}
			mem = e.Data
		}
		if len(mem) > left && !must {
			return false, nil
		}
		g.add(mem, e.Next())
		left -= len(mem)
		must = false
	}
	return true, nil
}

func (g *partRead) add(mem []byte, next core.Offset) {
	g.pieces = append(g.pieces, piece{mem: mem})
	g.size += len(mem)
	g.next = next
}

func spanLen(s *core.Span) int64 {
	if s.Mem != nil {
		return int64(len(s.Mem))
	}
	return s.Len
}
