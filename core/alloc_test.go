package core

import (
	"runtime"
	"testing"
	"time"
)

// heapInUse is how much is in use.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// allocations are how many a message costs in a flow from one publisher to one
// consumer. Everything that runs in the process counts.
func allocations(t *testing.T, kind string) float64 {
	const messages = 40_000
	b := benchBroker(t)
	ns := b.Namespace(DefaultNamespace)
	var c *Cursor
	var send func(tx *Tx, e *Entry) error
	err := b.Committed(func(tx *Tx) error {
		if kind == "stream" {
			s, err := ns.CreateStream(tx, StreamConfig{Realm: defaultRealm, Name: "s", KeyIndex: true, MaxMessages: 1000})
			if err != nil {
				return err
			}
			send = func(tx *Tx, e *Entry) error { _, err := s.Append(tx, 0, e, nil); return err }
			c, err = s.CreateCursor(tx, CursorConfig{Name: "c", Durable: true, AckWait: time.Minute}, nil)
			return err
		}
		q, err := ns.CreateQueue(tx, QueueConfig{Realm: defaultRealm, Name: "q", Durable: kind == "durable"})
		if err != nil {
			return err
		}
		c, send = q.Cursor(), q.Append
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &settler{b: b, want: messages, done: make(chan struct{})}
	if kind == "stream" {
		s.want = -1 // the oldest ones are dropped: they may overtake the cursor
	}
	sub, err := c.Subscribe(SubscribeOptions{Credit: -1, Windows: []*Window{NewWindow(1000)}}, s)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	e := Entry{Key: []byte("key"), Data: make([]byte, 100)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range messages / benchBatch {
		tx := b.Begin()
		for range benchBatch {
			e.Time = 0
			if err := send(tx, &e); err != nil {
				t.Fatal(err)
			}
		}
		tx.Commit()
	}
	if s.want > 0 {
		<-s.done
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / messages
}

// TestAllocations holds the ceilings of the hot paths.
func TestAllocations(t *testing.T) {
	for kind, most := range map[string]float64{"durable": 0.3, "transient": 0.3, "stream": 0.4} {
		if got := allocations(t, kind); got > most {
			t.Errorf("%s: %.2f allocations a message, the ceiling is %.2f", kind, got, most)
		} else {
			t.Logf("%s: %.3f allocations a message", kind, got)
		}
	}
}
