package storage

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The benchmarks run on the real file system: TMPDIR says where.

// window is a committer with so many transactions in flight.
type window struct{ room chan struct{} }

func (w *window) Durable(err error) {
	if err != nil {
		panic(err)
	}
	<-w.room
}

func benchStore(b *testing.B, logs int) (*Store, []*Log) {
	o := Options{Dir: b.TempDir(), Log: testOptions(nil).Log}
	s := mustOpen(b, o, nil)
	ls := make([]*Log, logs)
	commit(b, s, func(tx *Tx) {
		for i := range ls {
			ls[i] = tx.CreateLog(LogOptions{})
		}
	})
	if b.N > 1 {
		warm(b, s)
	}
	return s, ls
}

// warm writes every journal file once: what is measured is the steady state.
func warm(b *testing.B, s *Store) {
	var l *Log
	data := make([]byte, 1<<20)
	commit(b, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
	for range s.o.JournalBytes >> 20 {
		commit(b, s, func(tx *Tx) {
			tx.Append(l, &Entry{Data: data})
			tx.Delete(l, 0, l.Next())
		})
	}
	commit(b, s, func(tx *Tx) { tx.DropLog(l) })
	if err := s.Checkpoint(); err != nil {
		b.Fatal(err)
	}
}

// benchAppend measures b.N entries of size bytes, batch of them per transaction, by
// callers committers with depth transactions in flight each. Each entry is deleted when
// its Log has more than keep; keep < 0 keeps all.
func benchAppend(b *testing.B, logs, callers, depth, batch, size int, keep Offset) {
	s, ls := benchStore(b, logs)
	defer s.Close()
	data := different(size)
	var left atomic.Int64
	left.Store(int64(b.N))
	end := make(chan struct{})
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	start, cpu := time.Now(), cpuTime()
	for c := range callers {
		go func() {
			w := &window{make(chan struct{}, depth)}
			i := c
			for left.Add(int64(-batch)) > int64(-batch) {
				w.room <- struct{}{}
				tx := s.Begin()
				var e Entry
				for range batch {
					l := ls[i%len(ls)]
					i += 7
					e = Entry{Data: data[i&1]}
					o := tx.Append(l, &e)
					if keep >= 0 && o >= keep {
						tx.Delete(l, o-keep, o-keep+1)
					}
				}
				tx.Then(w)
				tx.Commit()
			}
			for range depth {
				w.room <- struct{}{}
			}
			end <- struct{}{}
		}()
	}
	for range callers {
		<-end
	}
	b.StopTimer()
	report(b, start, cpu)
	m := s.Metrics()
	b.ReportMetric(float64(b.N)/float64(m.Frames), "entries/frame")
}

// report says how fast b.N entries were, in time and in CPU time of the process.
func report(b *testing.B, start time.Time, cpu time.Duration) {
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "entries/s")
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/entry")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// different returns payloads that are not stored once when they are appended in turn.
func different(size int) [2][]byte { return [2][]byte{make([]byte, size), make([]byte, size)} }

func BenchmarkAppend(b *testing.B) {
	for _, x := range []struct{ logs, callers, depth, batch, size int }{
		{1, 1, 1, 1, 128},
		{1, 8, 1, 1, 128},
		{1, 64, 1, 1, 128},
		{1, 1000, 1, 1, 128},
		{100, 1000, 1, 1, 128},
		{10000, 1000, 1, 1, 128},
		{1, 4, 256, 1, 128},
		{1, 4, 64, 64, 128},
		{100, 4, 64, 64, 128},
		{10000, 4, 64, 64, 128},
		{1, 4, 256, 1, 1024},
		{1, 4, 32, 64, 1024},
		{100, 4, 32, 64, 1024},
		{10000, 4, 32, 64, 1024},
		{1, 4, 64, 1, 64 << 10},
	} {
		for _, keep := range []Offset{10, -1} {
			name := fmt.Sprintf("logs=%d/callers=%dx%d/batch=%d/size=%d/keep=%d", x.logs, x.callers, x.depth, x.batch, x.size, keep)
			b.Run(name, func(b *testing.B) {
				benchAppend(b, x.logs, x.callers, x.depth, x.batch, x.size, keep)
			})
		}
	}
}

// BenchmarkBare is what a group commit costs by itself: callers append records to a
// buffer under a lock, one goroutine writes and syncs it over blocks that exist, and tells them.
func BenchmarkBare(b *testing.B) {
	for _, x := range []struct{ callers, depth, batch, size int }{
		{1, 1, 1, 128}, {8, 1, 1, 128}, {64, 1, 1, 128}, {1000, 1, 1, 128}, {4, 256, 1, 128}, {4, 64, 64, 128},
		{4, 256, 1, 1024}, {4, 32, 64, 1024}, {4, 64, 1, 64 << 10},
	} {
		for _, ring := range []int64{256 << 20, 0} {
			name := fmt.Sprintf("callers=%dx%d/batch=%d/size=%d/grows=%v", x.callers, x.depth, x.batch, x.size, ring == 0)
			b.Run(name, func(b *testing.B) {
				benchBare(b, ring, x.callers, x.depth, x.batch, x.size)
			})
		}
	}
}

// benchBare writes over and over to ring bytes, or, without, to a file that grows: what
// those can reach of whom nothing is deleted.
func benchBare(b *testing.B, ring int64, callers, depth, batch, size int) {
	f, err := os.Create(b.TempDir() + "/ring")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	zero := make([]byte, 1<<20)
	for range ring >> 20 {
		f.Write(zero)
	}
	f.Sync()
	var mu sync.Mutex
	wake := sync.NewCond(&mu)
	room := sync.NewCond(&mu)
	var buf, spare []byte
	var waiting, told []*window
	stop := false
	go func() {
		at := int64(0)
		for {
			mu.Lock()
			for len(buf) == 0 && !stop {
				wake.Wait()
			}
			if len(buf) == 0 {
				mu.Unlock()
				return
			}
			out, ws := buf, waiting
			buf, waiting = spare[:0], told[:0]
			room.Broadcast()
			mu.Unlock()
			if ring > 0 && at+int64(len(out)) > ring {
				at = 0
			}
			f.WriteAt(out, at)
			syscall.Fdatasync(int(f.Fd()))
			at += int64(len(out))
			for _, w := range ws {
				w.Durable(nil)
			}
			spare, told = out, ws
		}
	}()
	data := make([]byte, size)
	var left atomic.Int64
	left.Store(int64(b.N))
	end := make(chan struct{})
	b.SetBytes(int64(size))
	b.ResetTimer()
	start, cpu := time.Now(), cpuTime()
	for range callers {
		go func() {
			w := &window{make(chan struct{}, depth)}
			for left.Add(int64(-batch)) > int64(-batch) {
				w.room <- struct{}{}
				mu.Lock()
				for len(buf) > maxGathered {
					room.Wait()
				}
				for range batch {
					at := len(buf)
					buf = append(buf, "headerheader"...)
					buf = append(buf, data...)
					binary.LittleEndian.PutUint32(buf[at:], checksum(buf[at+4:]))
				}
				waiting = append(waiting, w)
				wake.Signal()
				mu.Unlock()
			}
			for range depth {
				w.room <- struct{}{}
			}
			end <- struct{}{}
		}()
	}
	for range callers {
		<-end
	}
	b.StopTimer()
	report(b, start, cpu)
	mu.Lock()
	stop = true
	wake.Signal()
	mu.Unlock()
}

// BenchmarkRecover opens a store that was killed with so much in its journal and in
// segments.
func BenchmarkRecover(b *testing.B) {
	for _, x := range []struct {
		name              string
		logs, size        int
		segments, journal int64
	}{
		{"1GB-segments/1KiB", 100, 1024, 1 << 30, 100 << 20},
		{"journal-only/1KiB", 100, 1024, 0, 240 << 20},
		{"journal-only/128B", 10000, 128, 0, 240 << 20},
		{"100k-logs/128B", 100000, 128, 0, 40 << 20},
	} {
		b.Run(x.name, func(b *testing.B) {
			fs := vfs.Default
			dir := b.TempDir()
			o := Options{FS: fs, Dir: dir + "/a", Log: testOptions(nil).Log, Durability: OS}
			s := mustOpen(b, o, nil)
			ls := make([]*Log, x.logs)
			commit(b, s, func(tx *Tx) {
				for i := range ls {
					ls[i] = tx.CreateLog(LogOptions{})
				}
			})
			data := different(x.size)
			fill := func(n int64) {
				for i := 0; n > 0; {
					commit(b, s, func(tx *Tx) {
						for range 1000 {
							tx.Append(ls[i%len(ls)], &Entry{Data: data[i&1]})
							i++
							n -= int64(x.size + 30)
						}
					})
				}
			}
			fill(x.segments)
			if err := s.Checkpoint(); err != nil {
				b.Fatal(err)
			}
			s.settler.work.Lock() // what comes now stays in the journal
			fill(x.journal)
			// As a kill would leave it.
			if err := copyDir(dir+"/a", dir+"/b"); err != nil {
				b.Fatal(err)
			}
			m := s.Metrics()
			s.settler.work.Unlock()
			s.Close()
			o.Dir = dir + "/b"
			b.ResetTimer()
			for b.Loop() {
				s, err := Open(o)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Recover(counting{new(int)}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.settler.work.Lock()
				s.abandon()
				s.settler.work.Unlock()
				b.StartTimer()
			}
			b.ReportMetric(float64(m.JournalPending)/1e6, "journal-MB")
			b.ReportMetric(float64(m.Segments), "segments")
		})
	}
}

var flagStored = flag.Int64("storage.stored", 1, "how many GB BenchmarkKilled stores")

// BenchmarkKilled opens a store whose process was killed (SIGKILL) while it was appending
// as fast as it could, with so many GB stored and nothing deleted.
func BenchmarkKilled(b *testing.B) {
	if dir := os.Getenv("TRIVIUM_STORAGE_KILLED"); dir != "" {
		appendForEver(b, dir)
	}
	for _, x := range []struct{ logs, size int }{{100, 1024}, {10000, 1024}} {
		b.Run(fmt.Sprintf("logs=%d/size=%d/GB=%d", x.logs, x.size, *flagStored), func(b *testing.B) {
			dir := b.TempDir()
			child := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=Killed", "-test.benchtime=1x",
				"-storage.stored", fmt.Sprint(*flagStored))
			child.Env = append(os.Environ(), fmt.Sprintf("TRIVIUM_STORAGE_KILLED=%s %d %d", dir, x.logs, x.size))
			out, err := child.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := child.Start(); err != nil {
				b.Fatal(err)
			}
			for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "stored"; {
			}
			child.Process.Kill()
			child.Wait()
			o := Options{Dir: dir, Log: testOptions(nil).Log}
			replayed := 0
			b.ResetTimer()
			for b.Loop() {
				replayed = 0
				s, err := Open(o)
				if err != nil {
					b.Fatal(err)
				}
				s.settler.work.Lock()
				if err := s.Recover(counting{&replayed}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				m := s.Metrics()
				b.ReportMetric(float64(m.JournalPending)/1e6, "journal-MB")
				b.ReportMetric(float64(len(s.kept)), "kept-files")
				s.abandon()
				s.settler.work.Unlock()
				b.StartTimer()
			}
			b.ReportMetric(float64(replayed), "replayed")
		})
	}
}

// appendForEver is the process that is killed.
func appendForEver(b *testing.B, arg string) {
	var dir string
	var logs, size int
	if _, err := fmt.Sscan(arg, &dir, &logs, &size); err != nil {
		b.Fatal(err)
	}
	s := mustOpen(b, Options{Dir: dir, Log: testOptions(nil).Log}, nil)
	ls := make([]*Log, logs)
	commit(b, s, func(tx *Tx) {
		for i := range ls {
			ls[i] = tx.CreateLog(LogOptions{})
		}
	})
	w := &window{make(chan struct{}, 128)}
	data := different(size)
	said := false
	for i := 0; ; {
		w.room <- struct{}{}
		tx := s.Begin()
		for range 64 {
			tx.Append(ls[i%logs], &Entry{Data: data[i&1]})
			i++
		}
		tx.Then(w)
		tx.Commit()
		if !said && int64(i)*int64(size) > *flagStored<<30 {
			said = true
			fmt.Println("stored")
		}
	}
}

type counting struct{ n *int }

func (c counting) ReplayAppend(pos Position, log LogID, e *Entry)            { *c.n++ }
func (c counting) ReplayDelete(pos Position, log LogID, from, to Offset)     {}
func (c counting) ReplayNote(pos Position, owner uint64, data []byte)        {}
func (c counting) Checkpoint(at Position, set func(key, value []byte)) error { return nil }

// abandon ends a store without a checkpoint, so that it can be opened again as it was.
func (s *Store) abandon() {
	s.seq.Lock()
	s.seq.closing = true
	s.seq.wake.Signal()
	s.seq.Unlock()
	close(s.stop)
	s.settler.work.Unlock()
	s.work.Wait()
	s.settler.work.Lock()
	s.release()
}

func copyDir(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }

// BenchmarkRemove commits, one transaction after the other, while so many GB of segments are removed.
func BenchmarkRemove(b *testing.B) {
	o := Options{Dir: b.TempDir(), Log: testOptions(nil).Log, copyRate: 1 << 50}
	s := mustOpen(b, o, nil)
	defer s.Close()
	var probe *Log
	commit(b, s, func(tx *Tx) { probe = tx.CreateLog(LogOptions{}) })
	files := func() int {
		names, err := filepath.Glob(filepath.Join(o.Dir, "segments", "*"))
		if err != nil {
			b.Fatal(err)
		}
		return len(names)
	}
	for b.Loop() {
		b.StopTimer()
		var l *Log
		commit(b, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
		data := different(1 << 20)
		for i := range *flagStored << 10 {
			commit(b, s, func(tx *Tx) { tx.Append(l, &Entry{Data: data[i&1]}) })
			if i%200 == 199 {
				if err := s.Checkpoint(); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := s.Checkpoint(); err != nil {
			b.Fatal(err)
		}
		syscall.Sync()
		b.StartTimer()
		measure := func(until func() bool) (took []time.Duration) {
			for !until() {
				began := time.Now()
				commit(b, s, func(tx *Tx) {
					tx.Append(probe, &Entry{Data: make([]byte, 128)})
					tx.Delete(probe, 0, probe.Next())
				})
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			return took
		}
		before := time.Now()
		quiet := measure(func() bool { return time.Since(before) > time.Second })
		n := files()
		commit(b, s, func(tx *Tx) { tx.DropLog(l) })
		busy := measure(func() bool { return files() == 0 })
		b.ReportMetric(float64(n), "files")
		for _, x := range []struct {
			name string
			took []time.Duration
		}{{"quiet", quiet}, {"removing", busy}} {
			for name, at := range map[string]int{"p50": len(x.took) / 2, "p99": len(x.took) * 99 / 100, "max": len(x.took) - 1} {
				b.ReportMetric(float64(x.took[at].Microseconds()), x.name+"-"+name+"-µs")
			}
		}
	}
}
