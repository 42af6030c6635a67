package natswire

import (
	"net"
	"strings"
	"testing"

	"trivium/core"
)

// Nothing comes behind the answer to a PING that was sent after an UNSUB, also of what was on its way just then: other members of
// the queue group get it, so that a member can leave without losing any.
func TestLeavingAGroup(t *testing.T) {
	const n = 100
	w := start(t)
	first, fromFirst := raw(t, w, quiet, "SUB first 1", "PING")
	expect(t, fromFirst, "PONG")
	b, fromB := raw(t, w, quiet, "SUB work g 1", "SUB work 2", "PING")
	expect(t, fromB, "PONG")
	c, fromC := raw(t, w, quiet, "SUB work g 7", "PING")
	expect(t, fromC, "PONG")
	a, fromA := raw(t, w, quiet, "PING")
	expect(t, fromA, "PONG")

	goOn := hold(w, first) // what is published after that waits
	send(t, a, "PUB first 0", "", strings.Repeat("PUB work 1\r\nx\r\n", n)+"PING")
	member := subOf(w, b, "2")
	eventually(t, "it is published", func() bool { return member.taken.Load() == n })
	send(t, b, "UNSUB 1", "UNSUB 2", "PING")
	expect(t, fromB, "PONG")
	goOn()
	expect(t, fromA, "PONG")
	send(t, b, "PING")
	expect(t, fromB, "PONG")
	for range n {
		expect(t, fromC, "MSG work 7 1", "x")
	}
	send(t, c, "PING")
	expect(t, fromC, "PONG")
}

// When the last member has left while something was on its way, who asked hears that nobody is there.
func TestLastOfAGroupLeaves(t *testing.T) {
	w := start(t)
	first, fromFirst := raw(t, w, quiet, "SUB first 1", "PING")
	expect(t, fromFirst, "PONG")
	b, fromB := raw(t, w, quiet, "SUB work g 1", "PING")
	expect(t, fromB, "PONG")
	a, fromA := raw(t, w, `CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}`, "SUB in 3", "PING")
	expect(t, fromA, "PONG")
	goOn := hold(w, first)
	send(t, a, "PUB first 0", "", "PUB work in 1", "x")
	member := subOf(w, b, "1")
	eventually(t, "it is published", func() bool { return member.taken.Load() == 1 })
	send(t, b, "UNSUB 1", "PING")
	expect(t, fromB, "PONG")
	goOn()
	expect(t, fromA, "HMSG in 3 36 36", "NATS/1.0 503", "Nats-Subject: work", "", "")
}

// What a client sent to itself comes before the answer that says that it is stored.
func TestOwnMessageBeforeItsAnswer(t *testing.T) {
	w := start(t)
	q := bound(t, w, core.SubjectExchange, "own", "own")
	first, fromFirst := raw(t, w, quiet, "SUB first 1", "PING")
	expect(t, fromFirst, "PONG")
	a, fromA := raw(t, w, quiet, "SUB own 2", "PING")
	expect(t, fromA, "PONG")
	goOn := hold(w, first)
	send(t, a, "PUB first 0", "", "PUB own 0", "")
	mine := subOf(w, a, "2")
	eventually(t, "it is published", func() bool { return mine.taken.Load() == 1 })
	if n := q.Cursor().State().Pending; n > 0 {
		t.Error("it is stored before it is delivered")
	}
	goOn()
	expect(t, fromA, "MSG own 2 0")
}

// connOf is a client's connection.
func connOf(w *world, nc net.Conn) *conn {
	for _, c := range w.conns() {
		if c.nc.RemoteAddr().String() == nc.LocalAddr().String() {
			return c
		}
	}
	return nil
}

// hold has whoever delivers to a client wait until goOn is called.
func hold(w *world, nc net.Conn) (goOn func()) {
	mu := &connOf(w, nc).out.mu
	mu.Lock()
	return mu.Unlock
}

// subOf is a client's subscription.
func subOf(w *world, nc net.Conn, sid string) *sub {
	c := connOf(w, nc)
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	return c.subs.mu.bySid[sid]
}
