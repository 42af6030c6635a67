package storage

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkCold reads Logs that were written in turn, from their beginning, with nothing of them in the
// system's cache: from kept journal files, and from segments.
func BenchmarkCold(b *testing.B) {
	for _, x := range []struct {
		name string
		rate int64
	}{{"kept", 1}, {"copied", 1 << 50}} {
		b.Run(x.name, func(b *testing.B) {
			const logs, size = 100, 1 << 10
			o := Options{Dir: b.TempDir(), Log: testOptions(nil).Log, Durability: OS, copyRate: x.rate}
			s := mustOpen(b, o, nil)
			ls := make([]*Log, logs)
			commit(b, s, func(tx *Tx) {
				for i := range ls {
					ls[i] = tx.CreateLog(LogOptions{})
				}
			})
			data := different(size)
			n := int(*flagStored << 30 / size)
			for i := 0; i < n; {
				commit(b, s, func(tx *Tx) {
					for range 1000 {
						tx.Append(ls[i%logs], &Entry{Data: data[i&1]})
						i++
					}
				})
				if x.name == "copied" && i%100_000 == 0 {
					if err := s.Checkpoint(); err != nil { // in time: a journal that fills up is kept
						b.Fatal(err)
					}
				}
			}
			mustClose(b, s)
			evict(b, o.Dir)
			s = mustOpen(b, o, nil)
			defer s.Close()
			got := 0
			cpu, start := cpuTime(), time.Now()
			b.ResetTimer()
			for i := range b.N {
				l := s.Log(ls[4*i%logs].ID()) // its neighbours' entries are in the same pages
				var es []Entry
				var err error
				for from := Offset(0); from < l.End(); got += len(es) {
					if es, from, err = l.Read(from, Limit{Entries: 256, Bytes: 1 << 20}, es[:0]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(got)/time.Since(start).Seconds(), "entries/s")
			b.ReportMetric(float64(cpuTime()-cpu)/float64(got), "cpu-ns/entry")
			b.ReportMetric(float64(s.Metrics().KeptBytes)/1e6, "kept-MB")
		})
	}
}

// evict drops the files beneath dir from the system's cache.
func evict(b *testing.B, dir string) {
	syscall.Sync()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
	if err != nil {
		b.Fatal(fmt.Errorf("evict: %w", err))
	}
}
