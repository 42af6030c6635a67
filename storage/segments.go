package storage

import (
	"bytes"
	"container/list"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// segments opens segments when they are read and keeps the last used ones open.
type segments struct {
	fs    vfs.FS
	dir   string
	index *index
	// Kept files stay in the directory of the journal.
	journalDir string
	real       bool // fs is the operating system's
	next       atomic.Uint64
	remover    *remover
	count      atomic.Int64 // files

	mu struct {
		sync.Mutex
		open   map[*run]*list.Element // of *openRun
		kept   map[uint64]*keptReader
		lru    list.List
		bytes  int64
		closed bool
	}
}

const (
	maxOpenSegments  = 256
	maxSegmentMemory = 16 << 20 // of indexes and of segments that the index holds
	segmentSuffix    = ".segment"
)

// openRun is an opened segment; users and the cache hold references to it.
type openRun struct {
	*segment
	s    *segments
	run  *run
	file vfs.File
	mem  int64
	refs atomic.Int32
	raw  sync.Once
	os   *os.File
}

func (o *openRun) release() {
	if o.refs.Add(-1) == 0 {
		if o.file != nil {
			o.file.Close()
		}
		if o.os != nil {
			o.os.Close()
		}
		o.s.releaseAll(o.kept)
		o.s.leave(o.run)
	}
}

func (s *segments) releaseAll(kept map[uint64]*keptReader) {
	for _, k := range kept {
		s.releaseKept(k)
	}
}

func (s *segments) init(fs vfs.FS, dir, journalDir string, x *index, r *remover) error {
	s.fs, s.dir, s.journalDir, s.index, s.remover, s.real = fs, dir, journalDir, x, r, fs == vfs.Default
	s.mu.open, s.mu.kept = map[*run]*list.Element{}, map[uint64]*keptReader{}
	return fs.MkdirAll(dir, 0o755)
}

func (s *segments) name(n uint64) string {
	return s.fs.PathJoin(s.dir, fmt.Sprintf("%016x%s", n, segmentSuffix))
}

// sweep removes the files that nobody knows: those of a crash before they were
// registered, or after they were replaced.
func (s *segments) sweep(known map[uint64]bool) error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		base, ok := strings.CutSuffix(name, segmentSuffix)
		n, err := strconv.ParseUint(base, 16, 64)
		if !ok || err != nil {
			continue
		}
		if n >= s.next.Load() {
			s.next.Store(n + 1)
		}
		if !known[n] {
			s.remover.add(s.fs.PathJoin(s.dir, name))
		}
	}
	s.count.Store(int64(len(known)))
	return nil
}

// acquire opens the segment of a run, or finds it open. The run may have been forgotten meanwhile:
// then it is no run of the Log any more, and the error is errReplaced.
func (s *segments) acquire(l LogID, r *run) (*openRun, error) {
	s.mu.Lock()
	if e := s.mu.open[r]; e != nil {
		s.mu.lru.MoveToFront(e)
		o := e.Value.(*openRun)
		o.refs.Add(1)
		s.mu.Unlock()
		return o, nil
	}
	s.mu.Unlock()
	o, err := s.load(l, r, s.index.get, true)
	if err != nil {
		return nil, err
	}
	o.refs.Store(2)
	s.mu.Lock()
	var drop []*openRun
	if r.gone || s.mu.closed {
		o.refs.Store(1) // the cache does not want it
	} else if e := s.mu.open[r]; e != nil {
		// Somebody else opened it meanwhile.
		drop = append(drop, o)
		o.refs.Store(1)
		o = e.Value.(*openRun)
		o.refs.Add(1)
	} else {
		s.mu.open[r] = s.mu.lru.PushFront(o)
		s.mu.bytes += o.mem
		for s.mu.lru.Len() > 1 && (s.mu.lru.Len() > maxOpenSegments || s.mu.bytes > maxSegmentMemory) {
			drop = append(drop, s.removeLocked(s.mu.lru.Back()))
		}
	}
	s.mu.Unlock()
	for _, o := range drop {
		o.release()
	}
	return o, nil
}

func (s *segments) removeLocked(e *list.Element) *openRun {
	o := e.Value.(*openRun)
	s.mu.lru.Remove(e)
	s.mu.bytes -= o.mem
	delete(s.mu.open, o.run)
	return o
}

// forget closes a run that is replaced or dropped. Nobody opens it any more.
func (s *segments) forget(r *run) {
	s.mu.Lock()
	var o *openRun
	r.gone = true
	if e := s.mu.open[r]; e != nil {
		o = s.removeLocked(e)
	}
	s.mu.Unlock()
	if o != nil {
		o.release()
	}
}

// remove removes the file of a run that is forgotten, for good, once nobody reads it.
func (s *segments) remove(r *run) {
	s.count.Add(-1)
	s.mu.Lock()
	r.doomed = true
	unread := r.users == 0
	s.mu.Unlock()
	if unread {
		s.remover.add(s.name(r.file))
	}
}

// enter counts a user of a run, unless it is forgotten; leave takes one away.
func (s *segments) enter(r *run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return ErrClosed
	}
	if r.gone {
		return errReplaced
	}
	r.users++
	return nil
}

func (s *segments) leave(r *run) {
	s.mu.Lock()
	r.users--
	last := r.users == 0 && r.doomed
	s.mu.Unlock()
	if last {
		s.remover.add(s.name(r.file))
	}
}

// load opens the segment of a run, and with data the kept files that it refers to. get
// reads a key of the index.
func (s *segments) load(l LogID, r *run, get func(key []byte) ([]byte, error), data bool) (_ *openRun, err error) {
	if err := s.enter(r); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.leave(r)
		}
	}()
	o := &openRun{s: s, run: r}
	var at io.ReaderAt
	where := ""
	if r.file == 0 {
		key := logKey2(keyChunk, l, int64(r.from))
		where = fmt.Sprintf("index key %x", key)
		b, err := get(key)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return nil, &CorruptError{Where: where, Why: "it is missing"}
		}
		at, o.mem = bytes.NewReader(b), int64(len(b))
	} else {
		where = s.name(r.file)
		f, err := s.fs.Open(where, vfs.RandomReadsOption)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return nil, &CorruptError{Where: where, Why: "it is missing"}
			}
			return nil, err
		}
		at, o.file = f, f
	}
	seg, err := openSegment(at, r.size)
	if err == nil && (seg.log != l || seg.first != r.from || seg.next != r.to || seg.entries != r.entries) {
		err = fmt.Errorf("%w: it is another one", errSegment)
	}
	if err == nil && data {
		seg.kept, err = s.acquireAll(r)
	}
	if err != nil {
		if o.file != nil {
			o.file.Close()
		}
		return nil, corrupt(where, err)
	}
	o.segment = seg
	o.refs.Store(1)
	o.mem += int64(len(seg.index)) * indexEntrySize
	return o, nil
}

func (s *segments) acquireAll(r *run) (map[uint64]*keptReader, error) {
	if len(r.refs) == 0 {
		return nil, nil
	}
	kept := make(map[uint64]*keptReader, len(r.refs))
	for _, d := range r.refs {
		k, err := s.acquireKept(r, d.file)
		if err != nil {
			s.releaseAll(kept)
			return nil, err
		}
		kept[d.file] = k
	}
	return kept, nil
}

// corrupt marks errors about stored bytes.
func corrupt(where string, err error) error {
	if errors.Is(err, errSegment) {
		return &CorruptError{Where: where, Why: err.Error()}
	}
	return err
}

func (s *segments) where(l LogID, r *run) string {
	if r.file == 0 {
		return fmt.Sprintf("log %d, segment %d in the index", l, r.from)
	}
	return s.name(r.file)
}

// osFile returns where Data is as an *os.File, nil if it is none.
func (s *segments) osFile(o *openRun, kept uint64) *os.File {
	if kept != 0 {
		if k := o.kept[kept]; k != nil {
			return k.os
		}
		return nil
	}
	if !s.real || o.file == nil {
		return nil
	}
	o.raw.Do(func() { o.os, _ = os.Open(s.name(o.run.file)) })
	return o.os
}

// close lets go of all that is open, when its last user does. Nobody opens anything any more.
func (s *segments) close() {
	s.mu.Lock()
	s.mu.closed = true
	var all []*openRun
	for s.mu.lru.Len() > 0 {
		all = append(all, s.removeLocked(s.mu.lru.Back()))
	}
	s.mu.Unlock()
	for _, o := range all {
		o.release()
	}
}
