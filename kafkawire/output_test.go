package kafkawire

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"trivium/core"
)

// TestOutput sends memory and ranges of a file of all sizes, as more than a socket takes at once.
func TestOutput(t *testing.T) {
	data := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(data)
	name := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	rnd := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1, 100, copyBelow - 1, copyBelow, copyBelow + 1, keepBuf - 1, keepBuf, keepBuf + 1, gather, 1 << 20}
	send := func(t *testing.T, nc, to net.Conn) {
		c := &conn{s: &Server{o: Options{WriteTimeout: time.Minute}}, nc: nc}
		c.out.c = c
		var want []byte
		for range 300 {
			n := sizes[rnd.IntN(len(sizes))]
			at := rnd.IntN(len(data) - n + 1)
			if rnd.IntN(4) == 0 {
				c.out.mem(data[at : at+n])
			} else {
				c.out.file(&core.Span{File: f, Pos: int64(at), Len: int64(n)})
			}
			want = append(want, data[at:at+n]...)
		}
		if c.out.size != len(want) {
			t.Errorf("%d bytes, want %d", c.out.size, len(want))
		}
		done := make(chan error, 1)
		go func() {
			err := c.out.flush()
			nc.Close()
			done <- err
		}()
		got, err := io.ReadAll(to)
		if err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came, of %d, or others", len(got), len(want))
		}
		if len(c.out.items) != 0 || len(c.out.vec) != 0 || len(c.out.owned) != 0 || c.out.size != 0 {
			t.Error("something is left behind")
		}
	}
	t.Run("tcp", func(t *testing.T) {
		nc, to := pair(t)
		defer to.Close()
		send(t, nc, to)
	})
	t.Run("pipe", func(t *testing.T) {
		nc, to := net.Pipe()
		defer to.Close()
		send(t, nc, to)
	})
	t.Run("beyond the end", func(t *testing.T) {
		nc, to := pair(t)
		defer nc.Close()
		defer to.Close()
		c := &conn{s: &Server{o: Options{WriteTimeout: time.Minute}}, nc: nc}
		c.out.c = c
		c.out.file(&core.Span{File: f, Pos: int64(len(data)) - copyBelow, Len: 2 * copyBelow})
		if err := c.out.flush(); err == nil {
			t.Error("what is not in the file is sent")
		}
	})
}

// pair is a TCP connection.
func pair(t *testing.T) (nc, to net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if nc, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if to, err = l.Accept(); err != nil {
		nc.Close()
		t.Fatal(err)
	}
	return nc, to
}
