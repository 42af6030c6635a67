package compat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"trivium/internal/race"
)

// claimedMemory is how much the server may grow while strangers claim hundreds
// of gigabytes: room for buffers and the garbage collector, not for the claims.
const claimedMemory = 64 << 20

// be32 and cat build byte strings.
func be32(n uint32) []byte       { return binary.BigEndian.AppendUint32(nil, n) }
func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// noise is random, and the same in every run.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// amqpFrame is one frame of AMQP 0-9-1.
func amqpFrame(kind byte, channel uint16, payload []byte) []byte {
	return cat([]byte{kind, byte(channel >> 8), byte(channel)}, be32(uint32(len(payload))), payload, []byte{0xCE})
}

// amqpStartOK is a complete connection.start-ok with a PLAIN login.
func amqpStartOK() []byte {
	response := "\x00guest\x00guest"
	return amqpFrame(1, 0, cat([]byte{0, 10, 0, 11}, be32(0), []byte("\x05PLAIN"),
		be32(uint32(len(response))), []byte(response), []byte("\x05en_US")))
}

// hostile is what strangers send, by listener. Everything but the last field of
// a few is a real beginning, so that it gets past the first check.
var hostile = map[string]map[string][]byte{
	"amqp": {
		"noise":                   noise(4096),
		"another protocol":        []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"TLS hello":               cat([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, noise(64)),
		"another version":         []byte("AMQP\x00\x03\x01\x00"),
		"half a header":           []byte("AMQ"),
		"frame before start-ok":   cat([]byte("AMQP\x00\x00\x09\x01"), amqpFrame(1, 1, []byte{0, 20, 0, 10, 0})),
		"oversized frame":         cat([]byte("AMQP\x00\x00\x09\x01"), []byte{1, 0, 0}, be32(0x7fffffff), noise(100)),
		"unknown frame type":      cat([]byte("AMQP\x00\x00\x09\x01"), amqpFrame(77, 0, noise(10))),
		"bad frame end":           cat([]byte("AMQP\x00\x00\x09\x01"), []byte{1, 0, 0}, be32(4), []byte{0, 10, 0, 11, 0xCD}),
		"truncated frame":         cat([]byte("AMQP\x00\x00\x09\x01"), amqpStartOK()[:20]),
		"table longer than frame": cat([]byte("AMQP\x00\x00\x09\x01"), amqpFrame(1, 0, cat([]byte{0, 10, 0, 11}, be32(0xfffffff0), noise(20)))),
		"garbage after login":     cat([]byte("AMQP\x00\x00\x09\x01"), amqpStartOK(), noise(4096)),
		"body before method": cat([]byte("AMQP\x00\x00\x09\x01"), amqpStartOK(),
			amqpFrame(1, 0, []byte{0, 10, 0, 31, 0, 0, 0, 0, 0, 0, 0, 0}), amqpFrame(1, 0, []byte{0, 10, 0, 40, 1, '/', 0, 0}),
			amqpFrame(1, 1, []byte{0, 20, 0, 10, 0}), amqpFrame(3, 1, noise(10))),
	},
	"kafka": {
		"noise":             noise(4096),
		"another protocol":  []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"oversized request": cat(be32(0x7fffffff), []byte{0, 0, 0, 9}, noise(100)),
		"negative size":     cat(be32(0xffffffff), noise(100)),
		"empty request":     be32(0),
		"short request":     cat(be32(3), []byte{0, 18, 0}),
		"unknown key":       cat(be32(10), []byte{0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff}),
		"unknown version":   cat(be32(10), []byte{0, 3, 0x7f, 0xff, 0, 0, 0, 1, 0xff, 0xff}),
		"truncated request": cat(be32(100), []byte{0, 3, 0, 9, 0, 0, 0, 1}),
		"a billion topics":  cat(be32(14), []byte{0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff}, be32(0x3fffffff)),
		"a long client id":  cat(be32(12), []byte{0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff}, noise(2)),
		"a garbage produce": cat(be32(64), []byte{0, 0, 0, 8, 0, 0, 0, 1, 0xff, 0xff}, noise(54)),
	},
	"nats": {
		"noise":                noise(4096),
		"another protocol":     []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"unknown operation":    []byte("CONNECT {}\r\nNONSENSE\r\n"),
		"endless line":         bytes.Repeat([]byte("PUB a.b "), 4096),
		"oversized payload":    []byte("CONNECT {}\r\nPUB a 2147483647\r\nshort"),
		"size out of range":    []byte("CONNECT {}\r\nPUB a 99999999999999999999\r\n"),
		"negative size":        []byte("CONNECT {}\r\nPUB a -1\r\n"),
		"header beyond size":   []byte("CONNECT {\"headers\":true}\r\nHPUB a 100 10\r\n"),
		"payload without end":  []byte("CONNECT {}\r\nPUB a 3\r\nabcdef\r\n"),
		"truncated publish":    []byte("CONNECT {}\r\nPUB a 1000\r\nabc"),
		"broken CONNECT":       []byte("CONNECT {\"verbose\":\r\n"),
		"deep CONNECT":         []byte("CONNECT " + strings.Repeat("[", 3000) + "\r\n"),
		"too many arguments":   []byte("CONNECT {}\r\nSUB a b c d e\r\n"),
		"bad API request":      []byte("CONNECT {}\r\nPUB $JS.API.STREAM.CREATE.X r 9\r\n{\"name\":[\r\n"),
		"a huge fetch request": []byte("CONNECT {}\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.C r 19\r\n{\"batch\":2147483647}\r\n"),
	},
	"admin": {
		"noise":          noise(4096),
		"endless header": cat([]byte("GET / HTTP/1.1\r\nA: "), bytes.Repeat([]byte("x"), 100000)),
		"oversized body": []byte("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999\r\n\r\n"),
		"truncated":      []byte("GET /metr"),
	},
}

// Whatever a stranger sends, the connection ends (by the protocol's error or
// a close) when the stranger stops, and everybody else is served as before.
func TestHostileInput(t *testing.T) {
	if original() {
		t.Skip("the originals' manners are their own")
	}
	s := start(t)
	honest(t, s)
	for listener, inputs := range hostile {
		for name, input := range inputs {
			t.Run(listener+"/"+name, func(t *testing.T) {
				c := dial(t, s.addrs[listener])
				c.Write(input) // the server may close before it has read all
				c.CloseWrite()
				ends(t, c)
			})
		}
	}
	t.Run("others are served as before", func(t *testing.T) { honest(t, s) })
}

// Strangers that claim much and send little, or say nothing at all, cost next to
// nothing, and do not keep others out.
func TestHostileClaims(t *testing.T) {
	if original() {
		t.Skip("the originals' manners are their own")
	}
	s := start(t)
	honest(t, s)
	before := s.rss()
	claims := map[string][][]byte{
		"amqp": {
			cat([]byte("AMQP\x00\x00\x09\x01"), []byte{1, 0, 0}, be32(0x7fffffff)),
			cat([]byte("AMQP\x00\x00\x09\x01"), amqpStartOK()[:12]),
			// A message whose header claims 512 MiB, of which nothing comes.
			cat([]byte("AMQP\x00\x00\x09\x01"), amqpStartOK(),
				amqpFrame(1, 0, []byte{0, 10, 0, 31, 0, 0, 0, 0, 0, 0, 0, 0}), amqpFrame(1, 0, []byte{0, 10, 0, 40, 1, '/', 0, 0}),
				amqpFrame(1, 1, []byte{0, 20, 0, 10, 0}), amqpFrame(1, 1, []byte{0, 60, 0, 40, 0, 0, 0, 1, 'q', 0}),
				amqpFrame(2, 1, cat([]byte{0, 60, 0, 0}, be32(0), be32(512<<20), []byte{0, 0}))),
			nil,
		},
		"kafka": {
			cat(be32(100<<20), []byte{0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff}),
			cat(be32(0x7fffffff), []byte{0, 1, 0, 4}),
			cat(be32(14), []byte{0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff}, be32(0x3fffffff)),
			nil,
		},
		"nats": {
			[]byte("CONNECT {}\r\nPUB a 1048576\r\nx"),
			[]byte("CONNECT {\"headers\":true}\r\nHPUB a 12 1048576\r\nNATS/1.0\r\n"),
			nil,
		},
		"admin": {[]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n"), nil},
	}
	const each = 50
	var held []*net.TCPConn
	for listener, inputs := range claims {
		for _, input := range inputs {
			for range each {
				c := dial(t, s.addrs[listener])
				c.Write(input)
				held = append(held, c)
			}
		}
	}
	honest(t, s) // while they all wait
	grown := s.rss() - before
	t.Logf("%d half-open connections: %d MiB before, %d KiB more each", len(held), before>>20, grown>>10/int64(len(held)))
	limit := int64(claimedMemory)
	if race.Enabled {
		limit *= 8 // the race detector shadows what is touched
	}
	if grown > limit {
		t.Errorf("%d connections that claimed much and sent nothing cost %d MiB", len(held), grown>>20)
	}
	for _, c := range held {
		c.Close()
	}
	honest(t, s)
}

// honest does a little of everything, as a client of each protocol.
func honest(t *testing.T, s *server) {
	t.Helper()
	name := fmt.Sprint("honest-", time.Now().UnixNano())
	r := s.rabbitFor(t)
	r.queue(name, nil)
	r.publish("", name, "hello")
	if got := bodies(t, r.consume(name, 1), 1); got != "hello" {
		t.Errorf("AMQP got %q", got)
	}
	r.must(r.conn.Close())

	s.topic(t, name, 1, nil)
	k := s.kafkaFor(t)
	produce(t, k, record(name, "k", "hello"))
	k.Close()

	nc := s.natsFor(t)
	sub, err := nc.SubscribeSync(name)
	must(t, err)
	must(t, nc.Publish(name, []byte("hello")))
	if got := heard(t, sub); got != "hello" {
		t.Errorf("NATS got %q", got)
	}
	nc.Close()

	if code, body := s.get("/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, body)
	}
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// ends reads until the server closes.
func ends(t *testing.T, c net.Conn) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server keeps the connection open")
	}
}
