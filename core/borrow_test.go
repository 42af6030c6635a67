package core

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

// A subscription that keeps what it gets has it for good, although another one of the cursor borrows and memory is used again.
func TestBorrows(t *testing.T) {
	for _, durable := range []bool{false, true} {
		t.Run(fmt.Sprintf("durable %v", durable), func(t *testing.T) { testBorrows(t, durable) })
	}
}

func testBorrows(t *testing.T, durable bool) {
	const messages, batch = 20_000, 20
	b := benchBroker(t)
	var q *Queue
	err := b.Committed(func(tx *Tx) (err error) {
		q, err = b.Namespace(DefaultNamespace).CreateQueue(tx, QueueConfig{Realm: defaultRealm, Name: "q", Durable: durable})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan struct{})
	h := &hoard{left: messages, all: all}
	for _, borrows := range []bool{true, false} {
		sub, err := q.Cursor().Subscribe(SubscribeOptions{Credit: -1, AutoAck: true, Borrows: borrows}, &hoarder{h, borrows})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
	}
	for i := 0; i < messages; i += batch {
		tx := b.Begin()
		for k := i; k < i+batch; k++ {
			if err := q.Append(tx, &Entry{Data: stamped(Offset(k)), Volatile: !durable}); err != nil {
				t.Fatal(err)
			}
		}
		tx.Commit()
	}
	<-all
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.kept) == 0 || len(h.kept) == messages {
		t.Errorf("%d of %d messages are kept", len(h.kept), messages)
	}
	for _, d := range h.kept {
		if !bytes.Equal(d.Entry.Data, stamped(d.Offset)) {
			t.Fatalf("message %d changed although it was kept", d.Offset)
		}
	}
	if h.changed > 0 {
		t.Errorf("%d messages changed while they were handed over", h.changed)
	}
}

// stamped is Data that says which offset it belongs to.
func stamped(o Offset) []byte { return bytes.Repeat(fmt.Appendf(nil, "%07d,", o), 1+int(o)%500) }

// hoard is what several Sinks got.
type hoard struct {
	mu            sync.Mutex
	kept          []Delivery
	changed, left int
	all           chan struct{}
}

// hoarder checks what it gets, and keeps it unless it borrows.
type hoarder struct {
	*hoard
	borrows bool
}

func (h *hoarder) Deliver(_ *Subscription, ds []Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range ds {
		if !bytes.Equal(ds[i].Entry.Data, stamped(ds[i].Offset)) {
			h.changed++
		}
	}
	if !h.borrows {
		h.kept = append(h.kept, ds...)
	}
	if h.left -= len(ds); h.left == 0 {
		close(h.all)
	}
}

func (h *hoarder) Idle(*Subscription)         {}
func (h *hoarder) Ended(*Subscription, error) {}
