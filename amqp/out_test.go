package amqp

import (
	"bytes"
	"io"
	"math/rand"
	"net"
	"syscall"
	"testing"
	"time"

	"trivium/amqp/wire"
)

// Whatever is appended, in whatever pieces, comes out whole and in order, through a socket that takes nothing for
// long stretches too.
func TestOut(t *testing.T) {
	writer, reader := tcpPair(t)
	defer reader.Close()
	o := newOut(writer, func() {})
	rng := rand.New(rand.NewSource(1))
	var want bytes.Buffer
	// The client reads nothing but when the socket is full: then all that was sent.
	var got bytes.Buffer
	allow, ended := make(chan int, 1<<10), make(chan error, 1)
	go func() {
		for n := range allow {
			if _, err := io.CopyN(&got, reader, int64(n)); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	allowed, stalls := 0, 0
	const total = 64 << 20 // much more than the kernel takes
	var lent loan
	for want.Len() < total {
		if o.stalled() && rng.Intn(8) == 0 { // and some more waits
			stalls++
			allow <- want.Len() - allowed
			allowed = want.Len()
			o.waitIdle()
		}
		if rng.Intn(3) == 0 && o.claim() {
			heads := lent.begin()
			var bodies [][]byte
			for range rng.Intn(4) {
				head, body := make([]byte, rng.Intn(100)), make([]byte, 1+rng.Intn(1<<rng.Intn(17)))
				rng.Read(head)
				rng.Read(body)
				heads = append(heads, head...)
				max := 4096 + rng.Intn(1<<17)
				want.Write(wire.AppendBody(head, 1, body, max))
				heads = lent.body(heads, 1, body, max)
				bodies = append(bodies, body)
			}
			o.write(&lent, heads)
			for _, b := range bodies { // they are free again
				clear(b)
			}
			continue
		}
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
	}
	if stalls < 3 {
		t.Errorf("the socket was full %d times", stalls)
	}
	allow <- want.Len() - allowed
	close(allow)
	if err := <-ended; err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
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

// Who flushes comes back from it although there is more to write whenever something was written.
func TestFlushBriefly(t *testing.T) {
	writer, reader := tcpPair(t)
	defer reader.Close()
	o := newOut(writer, func() {})
	flushed := make(chan struct{})
	rounds, sent := 0, 0
	say := func() {
		o.lock()
		o.mu.buf = append(o.mu.buf, byte(sent))
		sent++
		o.unlock()
	}
	o.raw = busyConn{o.raw, func() {
		if rounds++; rounds > 100 {
			select {
			case <-flushed:
				return
			case <-time.After(30 * time.Second):
				t.Error("it goes on writing")
				return
			}
		}
		say()
	}}
	say()
	o.flush()
	close(flushed)
	o.waitIdle()
	got := make([]byte, sent)
	if _, err := io.ReadFull(reader, got); err != nil {
		t.Fatal(err)
	}
	for i, b := range got {
		if b != byte(i) {
			t.Fatalf("octet %d is %d", i, b)
		}
	}
	writer.Close()
	o.wg.Wait()
}

// busyConn calls then after each write.
type busyConn struct {
	syscall.RawConn
	then func()
}

func (c busyConn) Write(f func(fd uintptr) bool) error {
	err := c.RawConn.Write(f)
	c.then()
	return err
}

// tcpPair is both ends of a connection.
func tcpPair(t *testing.T) (writer, reader net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if reader, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if writer, err = l.Accept(); err != nil {
		reader.Close()
		t.Fatal(err)
	}
	return writer, reader
}
