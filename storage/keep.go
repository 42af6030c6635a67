package storage

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A journal file that was filled faster than settling copies, or whose turn comes when
// the journal is nearly full, is not emptied if much of it is live: it is kept as it is,
// and segments refer to the Data in it. So what comes in faster than it can be written
// twice is written once. A kept file goes when no segment refers to it; when little of it is live, the rest is
// copied to segments.
//
// The index has a row for each (run.go), committed no later than the first segment
// that refers to it, and removed for good before the file is used again.

const (
	// A file is kept if at least 1/keepShare of it is live,
	keepShare = 4
	// and copied when less than 1/evictShare of it still is.
	evictShare = 8
)

// keptFile is a journal file that is kept. The settler's, once the store is open.
type keptFile struct {
	num  uint64
	last Position // of its last frame
	size int64
	runs int     // that refer to it
	live float64 // payload, about, when the pass began
}

func keptKey(num uint64) []byte { return binary.BigEndian.AppendUint64([]byte{keyKept}, num) }

func (k *keptFile) row() []byte {
	b := binary.AppendUvarint([]byte{rowVersion}, uint64(k.last))
	return binary.AppendUvarint(b, uint64(k.size))
}

func parseKept(key, value []byte) (*keptFile, error) {
	if len(key) != 9 {
		return nil, corruptRow(key, errShort)
	}
	r := rowReader(key, value)
	k := &keptFile{num: binary.BigEndian.Uint64(key[1:]), last: Position(r.uv()), size: int64(r.offset())}
	if r.err != nil {
		return nil, corruptRow(key, r.err)
	}
	return k, nil
}

// refer counts a run that is there (+1) or not any more (-1).
func (s *Store) refer(r *run, n int) {
	for _, d := range r.refs {
		k := s.kept[d.file]
		if k == nil {
			// Its row was lost: then nothing says what else is in it.
			k = &keptFile{num: d.file, last: ^Position(0)}
			s.kept[d.file] = k
		}
		k.runs += n
	}
}

// keptNames tells the journal which files are kept; true if they may still be replayed.
func (s *Store) keptNames() map[uint64]bool {
	names := map[uint64]bool{}
	for num, k := range s.kept {
		names[num] = k.last > s.checkpointed
	}
	return names
}

// survey decides whether the journal file that the pass empties is kept, and which
// kept files are copied.
func (p *settling) survey(logs []*Log) {
	s := p.s
	f, used, rate := s.journal.filled(p.cut)
	if f != nil && (rate <= s.o.copyRate && !s.behind() || s.kept[f.num] != nil) {
		f = nil
	}
	if f == nil && len(s.kept) == 0 {
		return
	}
	for _, k := range s.kept {
		k.live = 0
	}
	var live int64
	for _, l := range logs {
		live += l.survey(s, p.cut, f)
	}
	for _, k := range s.kept {
		if k.live*evictShare < float64(k.size) {
			p.evict[k.num] = true
		}
	}
	if f != nil && live*keepShare >= used {
		p.keep = f
		k := &keptFile{num: f.num, last: s.journal.keepFile(f), size: used}
		s.kept[f.num] = k
		p.begin()
		set(p.batch, keptKey(k.num), k.row())
	}
}

// survey adds to the live payload of kept files, and returns that in f.
func (l *Log) survey(s *Store, cut Position, f *journalFile) (live int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.mu.runs {
		for _, d := range r.refs {
			s.kept[d.file].live += float64(d.payload) * float64(r.bytes) / float64(max(r.payload, 1))
		}
	}
	if f == nil {
		return 0
	}
	end := l.End()
	for it := range l.mu.tail.all {
		if it.offset >= end {
			break // not on disk yet
		}
		if !it.durable() {
			continue
		}
		if it.blk.pos > cut {
			break
		}
		if it.blk.place.file == f {
			live += int64(it.bytes)
		}
	}
	return live
}

// forgetKept removes the rows of kept files that nothing refers to, and returns these.
func (s *Store) forgetKept(b *pebble.Batch) (gone []*keptFile) {
	for num, k := range s.kept {
		if k.runs == 0 {
			b.Delete(keptKey(num), nil)
			gone = append(gone, k)
			delete(s.kept, num)
		}
	}
	return gone
}

// countKept says in the metrics what kept files take.
func (s *Store) countKept() {
	var n int64
	for _, k := range s.kept {
		n += k.size
	}
	s.count.kept.Store(n)
}

// discard gives files back to the journal whose rows are gone for good, once nobody reads them.
func (s *Store) discard(gone []*keptFile) {
	for _, k := range gone {
		s.segments.whenUnread(k.num, func() {
			if err := s.journal.discard(k.num); err != nil {
				s.fail(err)
			}
		})
	}
}

// keptReader is a kept file that segments are read from.
type keptReader struct {
	num  uint64
	file vfs.File // nil: it is missing
	size int64
	os   *os.File // nil unless the file system is the operating system's
	refs int      // guarded by segments.mu
	then func()   // what to do when nobody reads it any more; guarded likewise
}

var _ io.ReaderAt = (*keptReader)(nil)

func (k *keptReader) ReadAt(b []byte, at int64) (int, error) { return k.file.ReadAt(b, at) }

// acquireKept opens a kept file that r refers to, or finds it open. When r is forgotten, which comes before the file is
// given back, nobody opens it any more: the error is errReplaced.
func (s *segments) acquireKept(r *run, num uint64) (*keptReader, error) {
	s.mu.Lock()
	k := s.mu.kept[num]
	if k != nil {
		k.refs++
	}
	s.mu.Unlock()
	if k != nil {
		return k, nil
	}
	k = &keptReader{num: num, refs: 1}
	name := journalName(s.fs, s.journalDir, num)
	f, err := s.fs.Open(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		st, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		k.file, k.size = f, st.Size()
		if s.real {
			if k.os, err = os.Open(name); err != nil {
				f.Close()
				return nil, err
			}
		}
	}
	s.mu.Lock()
	other := s.mu.kept[num]
	gone := r.gone
	switch {
	case gone:
	case other != nil:
		other.refs++
	default:
		s.mu.kept[num] = k
	}
	s.mu.Unlock()
	if gone {
		k.close()
		return nil, errReplaced
	}
	if other != nil {
		k.close()
		return other, nil
	}
	return k, nil
}

func (s *segments) releaseKept(k *keptReader) {
	s.mu.Lock()
	k.refs--
	last, then := k.refs == 0, k.then
	if last {
		delete(s.mu.kept, k.num)
	}
	s.mu.Unlock()
	if !last {
		return
	}
	k.close()
	if then != nil {
		then()
	}
}

func (k *keptReader) close() {
	if k.file != nil {
		k.file.Close()
	}
	if k.os != nil {
		k.os.Close()
	}
}

// whenUnread calls f when nobody reads a kept file that no run refers to any more.
func (s *segments) whenUnread(num uint64, f func()) {
	s.mu.Lock()
	k := s.mu.kept[num]
	if k != nil {
		k.then = f
	}
	s.mu.Unlock()
	if k == nil {
		f()
	}
}
