package amqp

import (
	"bytes"
	"io"
	"math/rand"
	"net"
	"testing"
)

// Whatever is appended, in whatever pieces, comes out whole and in order, through a socket that takes nothing for
// long stretches too.
func TestOut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reader, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	writer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	o := newOut(writer, func() {})
	rng := rand.New(rand.NewSource(1))
	var want bytes.Buffer
	var stalled bool
	const total = 32 << 20 // more than the kernel takes
	for want.Len() < total {
		o.lock()
		for range rng.Intn(4) {
			part := make([]byte, 1+rng.Intn(1<<rng.Intn(17)))
			rng.Read(part)
			if rng.Intn(3) > 0 {
				o.room(len(part))
			}
			o.mu.buf = append(o.mu.buf, part...)
			want.Write(part)
		}
		if got := o.waitingLocked(); got > want.Len() {
			t.Fatalf("%d octets wait of %d", got, want.Len())
		}
		o.unlock()
		o.flush()
		stalled = stalled || o.stalled()
	}
	if !stalled {
		t.Error("the socket took everything at once")
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(reader, got); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("what came out is not what went in (%v)", err)
	}
	o.waitIdle()
	if n := o.written(); n != uint64(want.Len()) || o.waitingLocked() != 0 || len(o.flight) != 0 {
		t.Errorf("%d of %d octets are said to be written", n, want.Len())
	}
	writer.Close()
	o.lock()
	o.mu.buf = append(o.mu.buf, 'x')
	o.unlock()
	o.flush()
	if !o.failed() {
		t.Error("writing to a closed socket does not fail")
	}
	o.wg.Wait()
}
