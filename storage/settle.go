package storage

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// mergeRuns is how many runs of about the same size are merged into one.
const mergeRuns = 8

// maxRefs is how many kept files one segment refers to, about.
const maxRefs = 64

// segmentBytes is where a segment file ends and the next begins.
const segmentBytes = 64 << 20

// settling is one pass that moves what journal frames up to cut hold to segments,
// and tidies the segments there are.
type settling struct {
	s      *Store
	cut    Position
	pace   *pace
	frames map[*block]*loaded
	items  []item          // some of a tail, while they are written
	keep   *journalFile    // what is live in it stays there
	evict  map[uint64]bool // kept files that are given up
	batch  *pebble.Batch
	index  *pebble.Iterator // as it was when the pass began to read it
	plans  []*plan
	files  []vfs.File // made since the last commit, and not synced
	// What the plans hold in memory while they wait to be committed.
	held int
}

// loaded is a frame that was not in memory, read for this pass.
type loaded struct {
	buf  []byte
	left int32 // entries in it that are still to be written, about
}

// plan is what a pass does to one Log.
type plan struct {
	l       *Log
	settled Offset // the Log's new boundary
	moved   bool
	groups  []group
}

// group replaces adjacent runs (perhaps none), and for the last group of a plan the
// settled part of the tail, by new runs.
type group struct {
	old []*run
	new []fresh
}

// fresh is a run as it is made; its sizes serve to find out what is live of it when
// it is installed.
type fresh struct {
	*run
	sizes []size
}

type size struct {
	offset Offset
	count  int32
	bytes  uint32
}

// planBytes bounds the memory of plans and of the batch before they are committed.
const planBytes = 4 << 20

// planFiles bounds the files that are open and not synced.
const planFiles = 64

func (p *settling) run() error {
	defer func() {
		if p.batch != nil {
			p.batch.Close()
		}
		if p.index != nil {
			p.index.Close()
		}
		for _, f := range p.frames {
			p.s.cache.free.Give(f.buf)
		}
		for _, f := range p.files {
			f.Close()
		}
	}()
	logs := p.s.allLogs()
	// In the order of their keys, for which the index is made.
	slices.SortFunc(logs, func(a, b *Log) int { return cmp.Compare(a.id, b.id) })
	p.survey(logs)
	for _, l := range logs {
		if l.seq.volatile {
			continue
		}
		if err := p.settle(l); err != nil {
			return err
		}
		if p.held > planBytes || p.batch != nil && p.batch.Len() > planBytes || len(p.plans) > 10000 || len(p.files) > planFiles {
			if err := p.commit(); err != nil {
				return err
			}
		}
	}
	return p.commit()
}

// settle makes the plan for one Log and writes the segments it needs.
func (p *settling) settle(l *Log) error {
	l.mu.Lock()
	if l.mu.gone {
		l.mu.Unlock()
		return nil
	}
	settled, moving := l.movingLocked(p)
	pl := &plan{l: l, settled: settled, moved: settled > l.mu.settled}
	olds := l.tidyLocked(moving, p)
	if !l.mu.dirty && !pl.moved && len(olds) == 0 {
		l.mu.Unlock()
		return nil
	}
	l.mu.stored = true
	l.mu.Unlock()
	p.begin()
	for i, old := range olds {
		g := group{old: old}
		var to Offset
		if i == len(olds)-1 {
			to = settled
		}
		if err := p.rewrite(l, &g, to); err != nil {
			return err
		}
		pl.groups = append(pl.groups, g)
	}
	p.plans = append(p.plans, pl)
	return nil
}

// begin makes a batch unless there is one.
func (p *settling) begin() {
	if p.batch == nil {
		p.batch = p.s.index.db.NewBatch()
	}
}

// get returns the value of a key of the index, nil if it has none. It is valid until the
// next call. Keys are asked for in ascending order, which costs much less than single Gets.
func (p *settling) get(key []byte) ([]byte, error) {
	if p.index == nil {
		var err error
		if p.index, err = p.s.index.db.NewIter(nil); err != nil {
			return nil, err
		}
	}
	if !p.index.SeekGE(key) || !bytes.Equal(p.index.Key(), key) {
		return nil, p.index.Error()
	}
	return p.index.ValueAndErr()
}

// evicts reports whether r refers to a kept file that is given up.
func (p *settling) evicts(r *run) bool {
	return slices.ContainsFunc(r.refs, func(d dataRef) bool { return p.evict[d.file] })
}

// movingLocked returns the offset below which all durable entries of the Log will be in runs, or are gone, when those of
// frames up to the cut have moved, and what it takes to move them: -1 if there are none.
func (l *Log) movingLocked(p *settling) (settled Offset, moving int64) {
	m := &l.mu
	end := l.End()
	settled, moving = end, -1
	for it := range m.tail.all {
		durable := it.durable()
		if it.offset >= end || durable && it.blk.pos > p.cut {
			settled = it.offset
			break
		}
		if !durable {
			continue
		}
		moving = max(moving, 0)
		if p.keep != nil && it.blk.place.file == p.keep {
			moving += refBytes
		} else {
			moving += int64(it.bytes)
		}
	}
	return max(m.settled, settled), moving
}

// durable reports whether anything of it is live, and in the journal.
func (i *item) durable() bool { return i.blk != nil && !i.blk.volatile }

// itemsAtOnce is how many items are copied out of a tail at once.
const itemsAtOnce = 1024

// take copies the first live durable items from <= offset < to of the tail into p.items.
func (p *settling) take(l *Log, from, to Offset) []item {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.items = p.items[:0]
	t := &l.mu.tail
	for i := t.find(from); i < t.len() && len(p.items) < itemsAtOnce; i++ {
		it := t.at(i)
		if it.offset >= to {
			break
		}
		if it.durable() {
			p.items = append(p.items, *it)
		}
	}
	return p.items
}

// tidyLocked chooses runs to replace: groups of adjacent ones, in order. The last
// group is to take in the entries of the tail that move, if there are any. A run is replaced
//   - by nothing if nothing of it is live,
//   - when less than half of it is live (an eighth if it is only consumed from its
//     beginning: the rest may be about to go),
//   - when it refers to a kept file that is given up,
//   - with those entries, if there are mergeRuns of about the same size: so every entry
//     is rewritten a few times at most,
//   - with a neighbour that is replaced, if it is no larger.
func (l *Log) tidyLocked(moving int64, p *settling) (groups [][]*run) {
	m := &l.mu
	chunk, limit := int64(l.s.o.chunkBytes), l.s.o.segmentBytes
	size := max(moving, 0)
	n := len(m.runs)
	live := func(r *run) int64 {
		if l.liveInLocked(r) == 0 {
			return 0
		}
		return r.cost()
	}
	tail := n
	for moving >= 0 {
		// The last runs of about that size.
		k, sum := tail, size
		for k > 0 && m.runs[k-1].size <= 4*max(size, 1<<10) && sum+live(m.runs[k-1]) <= limit {
			k--
			sum += live(m.runs[k])
		}
		if tail-k < max(1, l.s.o.mergeRuns-1) {
			break
		}
		tail, size = k, sum
	}
	for i := 0; i < tail; i++ {
		if !l.sparseLocked(m.runs[i], p) {
			continue
		}
		a, b := i, i+1
		size := live(m.runs[i])
		for b < tail && size > 0 {
			next := live(m.runs[b])
			if !l.sparseLocked(m.runs[b], p) && m.runs[b].size > max(size, chunk) || size+next > limit {
				break
			}
			size += next
			b++
		}
		groups = append(groups, m.runs[a:b:b])
		i = b - 1
	}
	if moving >= 0 {
		groups = append(groups, m.runs[tail:n:n])
	}
	return groups
}

// refBytes is about what a segment takes for an entry whose Data is elsewhere.
const refBytes = 64

func (l *Log) sparseLocked(r *run, p *settling) bool {
	left := l.liveInLocked(r)
	if left == 0 || p.evicts(r) {
		return true
	}
	from := max(r.from, l.mu.start)
	if left == int64(r.to-from) && from > r.from {
		return r.bytes < r.payload/8
	}
	return r.bytes < r.payload/2
}

// rewrite writes the live entries of g.old, then those of the tail that are durable and below to, to new segments.
func (p *settling) rewrite(l *Log, g *group, to Offset) error {
	w := segmentWriter{p: p, l: l, g: g}
	defer w.abandon()
	for _, r := range g.old {
		if err := p.copyRun(l, r, &w); err != nil {
			return err
		}
	}
	for from := Offset(0); from < to; {
		items := p.take(l, from, to)
		if len(items) == 0 {
			break
		}
		if err := p.copyItems(l, items, &w); err != nil {
			return err
		}
		from = items[len(items)-1].next()
	}
	return w.end()
}

// copyItems adds entries of the tail. Damaged ones are reported and left out.
func (p *settling) copyItems(l *Log, items []item, w *segmentWriter) error {
	var lease Lease
	defer lease.End()
	for i := range items {
		it := &items[i]
		var e stored
		var read *loaded
		buf, err := lease.bytes(p.s, it.blk), error(nil)
		if buf == nil {
			if read, err = p.load(it.blk); err == nil {
				buf = read.buf
			}
		}
		if err == nil {
			err = l.decodeStored(it, buf, &e)
		}
		if IsCorrupt(err) {
			p.s.o.Log.Error("storage: an entry is lost", "log", uint64(l.id), "offset", int64(it.offset), "err", err)
			continue
		}
		if err != nil {
			return err
		}
		if it.blk.place.file == p.keep {
			e.file = p.keep.num
		}
		if err := w.add(&e); err != nil {
			return err
		}
		if read != nil {
			p.wrote(it.blk, read)
		}
	}
	return nil
}

// decodeStored decodes an item, and says where the journal has its Data.
func (l *Log) decodeStored(it *item, buf []byte, e *stored) error {
	at, err := decodeEntry(buf, it.at, &e.Entry)
	if err != nil {
		return &CorruptError{Where: fmt.Sprintf("log %d offset %d", l.id, it.offset), Why: err.Error()}
	}
	e.at, e.len, e.crc = it.blk.place.off+int64(at), len(e.Data), checksum(e.Data)
	return nil
}

// load returns a frame that is not in memory; each is read once in a pass.
func (p *settling) load(b *block) (*loaded, error) {
	if f := p.frames[b]; f != nil {
		return f, nil
	}
	f := &loaded{buf: p.s.cache.free.Take(b.place.len)[:b.place.len], left: b.live.Load()}
	if err := p.s.journal.read(b.pos, b.place, f.buf); err != nil {
		p.s.cache.free.Give(f.buf)
		return nil, err
	}
	p.frames[b] = f
	return f, nil
}

// wrote notes that an entry of a frame needs it no more. The last one gives its memory back.
func (p *settling) wrote(b *block, f *loaded) {
	if f.left--; f.left <= 0 {
		delete(p.frames, b)
		p.s.cache.free.Give(f.buf)
	}
}

// copyRun adds the live entries of a run. Damaged ones are reported and left out, but
// stay lost to readers: they are not holes.
func (p *settling) copyRun(l *Log, r *run, w *segmentWriter) error {
	l.mu.Lock()
	dead := l.liveInLocked(r) == 0
	l.mu.Unlock()
	if dead {
		return nil
	}
	damaged := func(err error) error {
		err = corrupt(p.s.segments.where(l.id, r), err)
		if !IsCorrupt(err) {
			return err
		}
		p.s.o.Log.Error("storage: entries are lost", "log", uint64(l.id), "err", err)
		return nil
	}
	o, err := p.s.segments.load(l.id, r, p.get, p.evicts(r))
	if err != nil {
		return damaged(err)
	}
	defer o.release()
	for i := range o.index {
		es, err := o.envelopes(i, nil)
		if err != nil {
			if err := damaged(err); err != nil {
				return err
			}
			continue
		}
		// Data that stays where it is need not be read.
		stays := o.index[i].file != 0 && !p.evict[o.index[i].file]
		for es = l.filter(es, 0, o.next); len(es) > 0; {
			n, err := len(es), error(nil)
			if !stays {
				n, err = o.load(es)
			}
			for k := range es[:n] {
				if !stays {
					es[k].file = 0
				}
				if err := w.add(&es[k]); err != nil {
					return err
				}
			}
			if err != nil {
				if err := damaged(err); err != nil {
					return err
				}
				n++
			}
			es = es[n:]
		}
	}
	return nil
}

// segmentWriter writes entries to as many segments as they need.
type segmentWriter struct {
	p     *settling
	l     *Log
	g     *group
	b     segmentBuilder
	k     *sink
	sizes []size
	each  int64 // see run.each
	refs  []dataRef
}

func (w *segmentWriter) add(e *stored) error {
	if w.k != nil && (w.b.size()+int64(e.len) > w.p.s.o.segmentBytes || len(w.refs) > maxRefs) {
		if err := w.end(); err != nil {
			return err
		}
	}
	n := int64(e.payload())
	if w.k == nil {
		w.k = &sink{s: w.p.s, pace: w.p.pace}
		w.b = segmentBuilder{w: w.k, f: footer{log: w.l.id}}
		w.sizes, w.each, w.refs = nil, n, nil
	}
	if e.file != 0 {
		i := len(w.refs) - 1
		for i >= 0 && w.refs[i].file != e.file {
			i--
		}
		if i < 0 {
			i = len(w.refs)
			w.refs = append(w.refs, dataRef{file: e.file})
		}
		w.refs[i].payload += n
	}
	if n != w.each || e.Count != 1 {
		w.each = 0
	}
	w.sizes = append(w.sizes, size{e.Offset, e.Count, uint32(n)})
	return w.b.add(e)
}

func (w *segmentWriter) end() error {
	if w.k == nil {
		return nil
	}
	if err := w.b.finish(); err != nil {
		return err
	}
	if err := w.k.finish(); err != nil {
		return err
	}
	f := &w.b.f
	r := &run{
		from: f.first, to: f.next, file: w.k.num, size: w.k.n, entries: f.entries, payload: f.payload,
		maxTime: f.maxTime, each: w.each, exact: true, refs: w.refs,
	}
	if r.file == 0 {
		set(w.p.batch, logKey2(keyChunk, w.l.id, int64(r.from)), w.k.buf)
	} else {
		w.p.files = append(w.p.files, w.k.file)
		w.k.file = nil
		w.p.s.segments.count.Add(1)
	}
	w.p.s.count.settled.Add(r.size)
	w.p.held += len(w.sizes) * 16
	w.g.new = append(w.g.new, fresh{r, w.sizes})
	w.k = nil
	return nil
}

func (w *segmentWriter) abandon() {
	if w.k != nil {
		w.k.abandon()
	}
}

// commit makes plans durable and shows them to readers.
func (p *settling) commit() error {
	if len(p.plans) == 0 {
		return nil
	}
	s := p.s
	if len(p.files) > 0 {
		if err := errors.Join(p.syncFiles(), syncDir(s.o.FS, s.segments.dir)); err != nil {
			return err
		}
	}
	for _, pl := range p.plans {
		pl.store(p.batch)
	}
	// The rows may reflect deletes that are still on their way to disk.
	if err := s.barrier(); err != nil {
		return err
	}
	s.settler.replacing.Lock()
	defer s.settler.replacing.Unlock()
	if err := p.batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	p.batch.Close()
	p.batch = nil
	for _, pl := range p.plans {
		pl.install(s)
	}
	p.plans, p.held = nil, 0
	return nil
}

// parallelSyncs is how many files are synced at once: several take hardly longer
// than one.
const parallelSyncs = 8

// syncFiles syncs and closes the new files.
func (p *settling) syncFiles() error {
	errs := make([]error, len(p.files))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(parallelSyncs, len(p.files)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(errs)); i = next.Add(1) - 1 {
				errs[i] = errors.Join(p.files[i].Sync(), p.files[i].Close())
			}
		})
	}
	wg.Wait()
	p.files = nil
	return errors.Join(errs...)
}

// store writes what the index must know of a plan.
func (pl *plan) store(b *pebble.Batch) {
	l := pl.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.storeLocked(b, pl.settled)
	for _, g := range pl.groups {
		for _, r := range g.old {
			b.Delete(logKey2(keyRun, l.id, int64(r.from)), nil)
			// A new one in the index may have taken its key already.
			if r.file == 0 && !hasChunk(g.new, r.from) {
				b.Delete(logKey2(keyChunk, l.id, int64(r.from)), nil)
			}
		}
		for _, f := range g.new {
			l.countLocked(f)
			set(b, logKey2(keyRun, l.id, int64(f.from)), f.row())
		}
	}
}

func hasChunk(fs []fresh, from Offset) bool {
	for _, f := range fs {
		if f.file == 0 && f.from == from {
			return true
		}
	}
	return false
}

// countLocked finds out how much of a new run is live.
func (l *Log) countLocked(f fresh) {
	f.bytes = 0
	n := int64(0)
	for _, s := range f.sizes {
		if l.liveLocked(s.offset, s.offset+Offset(s.count)) {
			f.bytes += int64(s.bytes)
			n++
		}
	}
	if f.each > 0 && n != l.liveInLocked(f.run) {
		f.each = 0 // volatile entries lie between: what goes may be one of those
	}
}

// install replaces runs and tail by what was written.
func (pl *plan) install(s *Store) {
	l := pl.l
	l.mu.Lock()
	m := &l.mu
	var old []*run
	for _, g := range pl.groups {
		var runs []*run
		for _, f := range g.new {
			was := f.bytes
			l.countLocked(f)
			f.dirty = f.bytes != was
			m.bytes += f.bytes
			s.refer(f.run, 1)
			runs = append(runs, f.run)
		}
		at := len(m.runs)
		if len(g.old) > 0 {
			at = sort.Search(len(m.runs), func(i int) bool { return m.runs[i].from >= g.old[0].from })
		}
		for _, r := range g.old {
			m.bytes -= r.bytes
			old = append(old, r)
		}
		// Readers may hold the old slice.
		kept := append([]*run(nil), m.runs[:at]...)
		m.runs = append(append(kept, runs...), m.runs[at+len(g.old):]...)
	}
	if pl.moved {
		l.leaveTailLocked(pl.settled)
	}
	l.mu.Unlock()
	for _, r := range old {
		s.segments.forget(r)
		s.refer(r, -1)
		s.retire(r)
	}
}

// leaveTailLocked removes from the tail what is in runs now.
func (l *Log) leaveTailLocked(settled Offset) {
	m := &l.mu
	m.settled = settled
	n := m.tail.search(func(i *item) bool { return i.offset >= settled })
	var volatile []item
	for i := range n {
		it := m.tail.at(i)
		if it.blk == nil {
			continue
		}
		if it.blk.volatile {
			volatile = append(volatile, *it)
			continue
		}
		m.bytes -= int64(it.bytes)
		l.s.cache.release(it.blk)
	}
	if k := n - len(volatile); k > 0 {
		for i, it := range volatile {
			*m.tail.at(k + i) = it
		}
		m.tail.drop(k)
	}
}

var errStopped = errors.New("storage: stopped")
