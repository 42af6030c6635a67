package storage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// journal is what makes frames durable. A replicated one would stand here.
type journal interface {
	// propose takes the next frame, whose first frameHeader bytes are its own
	// to fill in, and calls done when the frame is durable or lost for good. Calls of
	// propose come from one goroutine; those of done are in order.
	propose(pos Position, frame []byte, done func(place, error))
	// read fills b with the frame at p again.
	read(pos Position, p place, b []byte) error
	// replay calls f for every frame from the position on, in order. It must come
	// before the first propose and returns the last position. Frames stay valid with keep,
	// else until f returns.
	replay(from Position, keep bool, f func(pos Position, p place, frame []byte) error) (Position, error)
	// begins is the first position it had when it was opened, 1 if it had none.
	begins() Position
	// release says that nothing up to pos is needed any more, but for kept files.
	release(pos Position) error
	// filled is the oldest file, if all it holds is up to pos and it is not written to
	// any more: how many bytes it has, and how many per second were written.
	filled(pos Position) (f *journalFile, used, rate int64)
	// keepFile has a file kept when it is released, until it is discarded, and returns
	// its last position. discard uses it again or removes it: nobody may be reading it.
	keepFile(f *journalFile) Position
	discard(num uint64) error
	// sync makes everything proposed so far safe, whatever the durability.
	sync() error
	// pending is how many bytes are held and not released, oldest the position up
	// to which something can be released, 0 if there is nothing.
	pending() int64
	oldest() Position
	// size is what it takes on disk, syncCount how often it was synced.
	size() int64
	syncCount() int64
	close() error
}

// place is where a frame is kept.
type place struct {
	file *journalFile
	off  int64
	len  int
}

// A journal file has a header block and then frames with consecutive positions:
//
//	0  magic   u64  "TVJOURNL"
//	8  crc     u32  crc32c of bytes 12..36
//	12 version u32  1
//	16 epoch   u64
//	24 first   u64  position of the first frame
//	32 -       u32  0
//
// Files are of fixed size and used again when all they hold is released and they are not
// kept; what a file held before is told apart by epoch and position.
const (
	journalMagic   = 0x4c4e52554f4a5654 // "TVJOURNL"
	journalVersion = 1
	journalHeader  = 36
	journalSuffix  = ".journal"
)

type journalFile struct {
	num   uint64
	name  string
	f     vfs.File
	epoch uint64
	first Position
	last  Position // guarded by diskJournal.mu
	used  int64    // what it holds; set when the next one is begun
	size  int64    // what has been written once; guarded likewise
	kept  bool     // guarded likewise
	dirty atomic.Bool
	// When it was begun, and how long it took to fill.
	began time.Time
	took  time.Duration

	// open is read-locked by readers of what the journal may release meanwhile.
	open struct {
		sync.RWMutex
		closed bool
	}
}

func (f *journalFile) close() error {
	f.open.Lock()
	defer f.open.Unlock()
	if f.open.closed {
		return nil
	}
	f.open.closed = true
	return f.f.Close()
}

// readAt fills b for a reader that does not know whether the file was given away.
func (f *journalFile) readAt(b []byte, off int64) error {
	f.open.RLock()
	defer f.open.RUnlock()
	if f.open.closed {
		return nil
	}
	_, err := f.f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (f *journalFile) header() []byte {
	b := make([]byte, blockSize)
	le := binary.LittleEndian
	le.PutUint64(b, journalMagic)
	le.PutUint32(b[12:], journalVersion)
	le.PutUint64(b[16:], f.epoch)
	le.PutUint64(b[24:], uint64(f.first))
	le.PutUint32(b[8:], checksum(b[12:journalHeader]))
	return b
}

func (f *journalFile) parseHeader(b []byte) bool {
	le := binary.LittleEndian
	if len(b) < journalHeader || le.Uint64(b) != journalMagic || le.Uint32(b[8:]) != checksum(b[12:journalHeader]) {
		return false
	}
	f.epoch, f.first = le.Uint64(b[16:]), Position(le.Uint64(b[24:]))
	return le.Uint32(b[12:]) == journalVersion
}

// diskJournal is a journal in local files.
type diskJournal struct {
	fs       vfs.FS
	dir      string
	fileSize int64
	keep     int // files to keep for reuse
	mode     Durability
	log      *slog.Logger
	epoch    uint64
	damaged  int64    // frames found lost by replay
	begin    Position // of the first file when it was opened

	off    int64         // in the current file; the proposer's
	cur    *journalFile  // changed by the proposer with mu held
	synced atomic.Uint64 // Position
	wrote  atomic.Uint64 // Position
	syncs  atomic.Int64
	broken atomic.Pointer[error] // a sync failed: none is tried again
	held   atomic.Int64          // bytes of the files before the current one
	used   atomic.Int64          // bytes of the current one
	// Files that are filled faster are going to be kept (keep.go): none is written in advance
	// then, which would be to write everything twice after all.
	copyRate int64

	failed func(error)       // hears of a sync that failed in the background
	remove func(name string) // removes a file before long

	work sync.WaitGroup // the preparer and the background sync
	mu   struct {
		sync.Mutex
		files     []*journalFile // in order, the current one last
		free      []*journalFile
		named     uint64 // number in the last file name
		preparing bool   // or failed to, since the current file was begun
		noSpare   bool   // it failed
		due       int64  // how much of the file that is prepared should be written by now
		more      sync.Cond
		closed    bool
		timer     *time.Timer // of the background sync, if one is due
	}
	syncing sync.Mutex // held by sync
}

var zeros [blockSize]byte

// openJournal opens the files in dir, but for those of kept: of these only the ones that
// may have to be replayed.
func openJournal(o *Options, dir string, kept map[uint64]bool, remove func(name string)) (*diskJournal, error) {
	fs := o.FS
	j := &diskJournal{
		fs: fs, dir: dir, fileSize: o.JournalFileBytes, keep: int(max(o.JournalBytes/o.JournalFileBytes, 2)),
		mode: o.Durability, copyRate: o.copyRate, log: o.Log, remove: remove,
	}
	j.mu.more.L = &j.mu
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var n uint64
		if base, ok := strings.CutSuffix(name, journalSuffix); !ok {
			continue
		} else if _, err := fmt.Sscanf(base, "%d", &n); err != nil {
			continue
		}
		j.mu.named = max(j.mu.named, n)
		replayed, isKept := kept[n]
		if isKept && !replayed {
			continue
		}
		if err := j.adopt(n, isKept); err != nil {
			j.closeFiles()
			return nil, err
		}
	}
	slices.SortFunc(j.mu.files, func(a, b *journalFile) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.first, b.first))
	})
	j.begin = 1
	for i, f := range j.mu.files {
		j.epoch = max(j.epoch, f.epoch)
		if i == 0 || f.first < j.begin {
			j.begin = f.first
		}
	}
	j.epoch++
	return j, nil
}

// adopt opens an existing file and finds out what it holds.
func (j *diskJournal) adopt(num uint64, kept bool) error {
	name := journalName(j.fs, j.dir, num)
	f, err := j.fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	jf := &journalFile{num: num, name: name, f: f, size: st.Size(), kept: kept}
	b := make([]byte, journalHeader)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return err
	}
	if !jf.parseHeader(b) {
		// Being made when the power went, or damaged: then its frames tell.
		s := newScanner(jf, 0)
		fr, ok, err := s.find(blockSize)
		if err != nil {
			f.Close()
			return err
		}
		if !ok {
			return j.freeFile(jf)
		}
		j.log.Warn("storage: journal file has no valid header, going by its frames", "file", name)
		jf.epoch, jf.first = fr.epoch, fr.pos
	}
	j.mu.files = append(j.mu.files, jf)
	return nil
}

// freeFile puts a file aside for reuse, unless it is kept; there may be enough of them already.
func (j *diskJournal) freeFile(f *journalFile) error {
	j.mu.Lock()
	kept := f.kept
	reuse := !kept && !j.mu.closed && len(j.mu.free) < j.keep && f.size <= j.fileSize
	if reuse {
		j.mu.free = append(j.mu.free, f)
	}
	j.mu.Unlock()
	if reuse {
		return nil
	}
	err := f.close()
	if !kept {
		j.remove(f.name)
	}
	return err
}

func journalName(fs vfs.FS, dir string, num uint64) string {
	return fs.PathJoin(dir, fmt.Sprintf("%06d%s", num, journalSuffix))
}

// propose implements journal. The local disk answers before it returns.
func (j *diskJournal) propose(pos Position, b []byte, done func(place, error)) {
	p, err := j.write(pos, b)
	if err == nil && j.mode == Sync {
		err = j.syncFile(j.cur)
		if err == nil {
			j.synced.Store(uint64(pos))
		}
	}
	done(p, err)
	if err == nil && j.mode == Interval {
		j.syncLater()
	}
}

// syncLater sees to it that what was written is synced before long. There is no
// timer while nothing is written.
func (j *diskJournal) syncLater() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.timer != nil || j.mu.closed {
		return
	}
	j.work.Add(1)
	j.mu.timer = time.AfterFunc(SyncInterval, func() {
		defer j.work.Done()
		j.mu.Lock()
		j.mu.timer = nil
		j.mu.Unlock()
		if err := j.sync(); err != nil {
			j.failed(err)
		}
	})
}

func (j *diskJournal) write(pos Position, b []byte) (place, error) {
	if int64(len(b)) > 1<<32-1 {
		return place{}, fmt.Errorf("storage: a frame of %d bytes is too large", len(b))
	}
	if j.cur == nil || j.off > blockSize && j.off+int64(len(b)) > j.fileSize {
		if err := j.roll(pos); err != nil {
			return place{}, err
		}
	}
	sealFrame(b, frame{pos: pos, epoch: j.epoch, synced: Position(j.synced.Load())})
	p := place{file: j.cur, off: j.off, len: len(b)}
	end := j.off + int64(len(b))
	pad := int(alignUp(end, blockSize) - end)
	out := b
	if cap(b)-len(b) >= pad {
		out = append(b, zeros[:pad]...)
		pad = 0
	}
	if _, err := j.cur.f.WriteAt(out, j.off); err != nil {
		return place{}, err
	}
	if pad > 0 {
		if _, err := j.cur.f.WriteAt(zeros[:pad], end); err != nil {
			return place{}, err
		}
	}
	j.cur.dirty.Store(true) // not before: a sync meanwhile need not have seen it
	j.off = alignUp(end, frameAlign)
	j.used.Store(j.off)
	j.wrote.Store(uint64(pos))
	j.mu.Lock()
	j.cur.last = pos
	j.cur.size = max(j.cur.size, alignUp(end, blockSize))
	j.mu.Unlock()
	if j.off > j.fileSize/2 {
		j.prepare()
	}
	return p, nil
}

// roll starts the next file.
func (j *diskJournal) roll(first Position) error {
	j.mu.Lock()
	var f *journalFile
	if n := len(j.mu.free); n > 0 {
		f = j.mu.free[n-1]
		j.mu.free = j.mu.free[:n-1]
	}
	j.mu.Unlock()
	if f == nil {
		var err error
		if f, err = j.create(); err != nil {
			return err
		}
	}
	f.epoch, f.first = j.epoch, first
	f.dirty.Store(true)
	if _, err := f.f.WriteAt(f.header(), 0); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	f.last = first - 1
	f.began = time.Now()
	j.mu.files = append(j.mu.files, f)
	if j.cur != nil {
		j.cur.used = j.off
		j.cur.took = f.began.Sub(j.cur.began)
		j.held.Add(j.off)
	}
	j.cur, j.off = f, blockSize
	j.mu.preparing = j.mu.preparing && !j.mu.noSpare
	j.mu.noSpare = false
	j.advance(j.fileSize)
	j.used.Store(blockSize)
	return nil
}

// create makes a new file that survives a crash once it is synced.
func (j *diskJournal) create() (*journalFile, error) {
	j.mu.Lock()
	j.mu.named++
	num := j.mu.named
	j.mu.Unlock()
	name := journalName(j.fs, j.dir, num)
	f, err := j.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	if err := syncDir(j.fs, j.dir); err != nil {
		f.Close()
		return nil, err
	}
	return &journalFile{num: num, name: name, f: f}, nil
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (j *diskJournal) syncFile(f *journalFile) error {
	f.dirty.Store(false)
	j.syncs.Add(1)
	err := f.f.SyncData()
	if err != nil {
		j.broken.Store(&err)
	}
	return err
}

func (j *diskJournal) sync() error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if err := j.broken.Load(); err != nil {
		return *err // what it has on disk is not known any more
	}
	wrote := j.wrote.Load()
	if wrote <= j.synced.Load() {
		return nil
	}
	j.mu.Lock()
	files := slices.Clone(j.mu.files)
	j.mu.Unlock()
	for _, f := range files {
		if f.dirty.Load() {
			if err := j.syncFile(f); err != nil {
				return err
			}
		}
	}
	for {
		old := j.synced.Load()
		if old >= wrote || j.synced.CompareAndSwap(old, wrote) {
			return nil
		}
	}
}

func (j *diskJournal) read(pos Position, p place, b []byte) error {
	if err := p.file.readAt(b, p.off); err != nil {
		return err
	}
	f, ok := parseFrameHeader(b)
	if !ok || f.pos != pos || !checkFrame(b, f) {
		return &CorruptError{Where: fmt.Sprintf("%s at %d", p.file.name, p.off), Why: "frame does not match its checksum"}
	}
	return nil
}

func (j *diskJournal) release(pos Position) error {
	var gone []*journalFile
	j.mu.Lock()
	for len(j.mu.files) > 0 && j.mu.files[0] != j.cur && j.mu.files[0].last <= pos {
		f := j.mu.files[0]
		j.mu.files = j.mu.files[1:]
		j.held.Add(-f.used)
		gone = append(gone, f)
	}
	j.mu.Unlock()
	var errs error
	for _, f := range gone {
		errs = errors.Join(errs, j.freeFile(f))
	}
	return errs
}

func (j *diskJournal) filled(pos Position) (f *journalFile, used, rate int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.mu.files) == 0 || j.mu.files[0] == j.cur || j.mu.files[0].last > pos {
		return nil, 0, 0
	}
	f = j.mu.files[0]
	if f.took > 0 {
		rate = int64(float64(f.used) / f.took.Seconds())
	}
	return f, f.used, rate
}

func (j *diskJournal) keepFile(f *journalFile) Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	f.kept = true
	return f.last
}

func (j *diskJournal) discard(num uint64) error {
	j.mu.Lock()
	for _, f := range j.mu.files {
		if f.num == num {
			// Its frames are needed: it goes with them.
			f.kept = false
			j.mu.Unlock()
			return nil
		}
	}
	reuse := !j.mu.closed && len(j.mu.free) < j.keep
	j.mu.Unlock()
	f := &journalFile{num: num, name: journalName(j.fs, j.dir, num)}
	if !reuse {
		j.remove(f.name)
		return nil
	}
	var err error
	if f.f, err = j.fs.OpenReadWrite(f.name, vfs.WriteCategoryUnspecified); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil // what it held was reported as missing
		}
		return err
	}
	st, err := f.f.Stat()
	if err != nil {
		return errors.Join(err, f.close())
	}
	f.size = st.Size()
	return j.freeFile(f)
}

func (j *diskJournal) pending() int64 { return j.held.Load() + j.used.Load() }

// size is what the files take on disk.
func (j *diskJournal) size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, f := range j.mu.files {
		n += f.size
	}
	for _, f := range j.mu.free {
		n += f.size
	}
	return n
}

func (j *diskJournal) begins() Position { return j.begin }

func (j *diskJournal) syncCount() int64 { return j.syncs.Load() }

func (j *diskJournal) oldest() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.mu.files) == 0 || j.mu.files[0] == j.cur {
		return 0
	}
	return j.mu.files[0].last
}

func (j *diskJournal) close() error {
	j.mu.Lock()
	j.mu.closed = true
	j.mu.more.Signal()
	if j.mu.timer != nil && j.mu.timer.Stop() {
		j.work.Done()
	}
	j.mu.Unlock()
	j.work.Wait()
	return errors.Join(j.sync(), j.closeFiles())
}

func (j *diskJournal) closeFiles() error {
	var errs error
	for _, f := range slices.Concat(j.mu.files, j.mu.free) {
		errs = errors.Join(errs, f.close())
	}
	return errs
}

// replay implements journal. Frames carry consecutive positions. Where one is
// missing, a later frame of the same epoch tells what happened: if it knew that the
// missing one was on disk, the file was damaged since, which is reported, and
// reading goes on behind it. If it did not, the power went before either was
// synced, and the journal ends there. A file of a later epoch tells by its first
// position where the recovery before it found the end.
func (j *diskJournal) replay(from Position, keep bool, f func(Position, place, []byte) error) (Position, error) {
	next := from
	files := j.mu.files
	j.mu.files = nil
	for i, jf := range files {
		if i+1 == len(files) || files[i+1].first > from {
			jf.f.Prefetch(0, jf.size) // from the disk while the first ones are looked at
		}
	}
	for i, jf := range files {
		limit := ^Position(0)
		if i+1 < len(files) {
			limit = files[i+1].first
		}
		if limit <= next {
			if err := j.freeFile(jf); err != nil {
				return 0, err
			}
			continue
		}
		j.mu.files = append(j.mu.files, jf)
		s := newScanner(jf, jf.epoch)
		s.reuse = !keep
		off := int64(blockSize)
		for {
			fr, b, ok, err := s.frame(off)
			if err != nil {
				return 0, err
			}
			if !ok || fr.pos > next {
				// Nothing valid here: is there something behind?
				if !ok {
					s.min = next
					if fr, ok, err = s.find(off + frameAlign); err != nil {
						return 0, err
					}
					if !ok {
						break
					}
				}
				if fr.pos >= limit {
					break
				}
				if fr.pos > next {
					known, err := j.known(files[i:], off)
					if err != nil {
						return 0, err
					}
					if known < next {
						break
					}
					j.damage(jf, off, next, fr.pos)
					next = fr.pos
				}
				off = max(off, s.at)
				continue
			}
			if fr.pos >= limit {
				break
			}
			at := off
			off = alignUp(off+int64(len(b)), frameAlign)
			jf.last = fr.pos
			if fr.pos < next {
				continue
			}
			if err := f(fr.pos, place{file: jf, off: at, len: len(b)}, b); err != nil {
				return 0, err
			}
			next = fr.pos + 1
		}
		if jf.used == 0 {
			jf.used = off
			j.held.Add(off)
		}
		if limit != ^Position(0) && limit > next && files[i+1].epoch > jf.epoch {
			j.damage(jf, off, next, limit)
			next = limit
		}
	}
	// What was read may still be in memory only: another crash must not take it back.
	for _, jf := range j.mu.files {
		if err := j.syncFile(jf); err != nil {
			return 0, err
		}
	}
	j.wrote.Store(uint64(next - 1))
	j.synced.Store(uint64(next - 1))
	return next - 1, nil
}

// known is the last position that any later frame of the epoch knew to be on disk.
func (j *diskJournal) known(files []*journalFile, off int64) (Position, error) {
	var known Position
	for _, jf := range files {
		if jf.epoch != files[0].epoch {
			break
		}
		s := newScanner(jf, jf.epoch)
		for {
			fr, ok, err := s.find(off)
			if err != nil {
				return 0, err
			}
			if !ok {
				break
			}
			known = max(known, fr.synced)
			off = s.at + frameHeader + int64(fr.length)
		}
		off = blockSize
	}
	return known, nil
}

func (j *diskJournal) damage(f *journalFile, off int64, from, to Position) {
	j.damaged += int64(to - from)
	j.log.Error("storage: journal is damaged: frames are lost",
		"file", f.name, "at", off, "first", uint64(from), "count", uint64(to-from))
}

// scanner reads frames of one file.
type scanner struct {
	f     *journalFile
	epoch uint64   // 0: any
	min   Position // find takes nothing below it
	at    int64    // where find found a frame
	buf   []byte
	base  int64
	reuse bool // what window returned is not needed when it is called again
}

func newScanner(f *journalFile, epoch uint64) *scanner { return &scanner{f: f, epoch: epoch} }

const scanBytes = 1 << 20

// window returns at least n bytes at off, fewer at the end of the file.
func (s *scanner) window(off int64, n int) ([]byte, error) {
	if off >= s.base && off+int64(n) <= s.base+int64(len(s.buf)) {
		return s.buf[off-s.base:], nil
	}
	n = int(min(int64(max(n, scanBytes)), max(s.f.size-off, 0)))
	b := s.buf[:0]
	if !s.reuse || cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	m, err := s.f.f.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	s.buf, s.base = b[:m], off
	return s.buf, nil
}

// frame reads the frame at off; ok tells whether there is a whole one. The bytes
// stay valid, unless they are to be used again.
func (s *scanner) frame(off int64) (fr frame, b []byte, ok bool, err error) {
	if b, err = s.window(off, frameHeader); err != nil {
		return
	}
	if fr, ok = parseFrameHeader(b); !ok || s.epoch != 0 && fr.epoch != s.epoch {
		return fr, nil, false, nil
	}
	n := frameHeader + fr.length
	if off+int64(n) > s.f.size {
		return fr, nil, false, nil
	}
	if b, err = s.window(off, n); err != nil {
		return
	}
	if len(b) < n {
		return fr, nil, false, nil
	}
	b = b[:n:n]
	return fr, b, checkFrame(b, fr), nil
}

var magicBytes = binary.LittleEndian.AppendUint32(nil, frameMagic)

// find looks for a whole frame at or after off.
func (s *scanner) find(off int64) (frame, bool, error) {
	for off = alignUp(off, frameAlign); off+frameHeader <= s.f.size; {
		b, err := s.window(off, frameHeader)
		if err != nil || len(b) < frameHeader {
			return frame{}, false, err
		}
		i := bytes.Index(b, magicBytes)
		if i < 0 {
			off = alignUp(off+int64(len(b)-frameAlign+1), frameAlign)
			continue
		}
		if off += int64(i); off%frameAlign != 0 {
			off = alignUp(off, frameAlign)
			continue
		}
		fr, _, ok, err := s.frame(off)
		if err != nil {
			return frame{}, false, err
		}
		if ok && fr.pos >= s.min {
			s.at = off
			return fr, true, nil
		}
		off += frameAlign
	}
	return frame{}, false, nil
}
