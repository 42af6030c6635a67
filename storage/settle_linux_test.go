package storage

import (
	"runtime"
	"testing"
)

// BenchmarkSettle stores entries of one Log and settles them: in kept journal files, and copied to segments.
func BenchmarkSettle(b *testing.B) {
	for _, x := range []struct {
		name string
		rate int64
	}{{"kept", 1}, {"copied", 1 << 50}} {
		b.Run(x.name, func(b *testing.B) {
			o := Options{Dir: b.TempDir(), Log: testOptions(nil).Log, Durability: OS, copyRate: x.rate}
			s := mustOpen(b, o, nil)
			var l *Log
			commit(b, s, func(tx *Tx) { l = tx.CreateLog(LogOptions{}) })
			const size, entries, txs = 10_000, 50, 400
			data := different(size)
			var spent int64
			for b.Loop() {
				for range txs {
					commit(b, s, func(tx *Tx) {
						for i := range entries {
							tx.Append(l, &Entry{Data: data[i&1]})
						}
					})
				}
				cpu := cpuTime()
				if err := s.Checkpoint(); err != nil {
					b.Fatal(err)
				}
				spent += int64(cpuTime() - cpu)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(spent)/float64(b.N)/(size*entries*txs), "settling-cpu-ns/B")
			b.ReportMetric(float64(m.HeapSys-m.HeapReleased)/1e6, "heap-MB")
			mustClose(b, s)
		})
	}
}
