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
	bound(t, w, core.SubjectExchange, "stored", "stored")
	b, fromB := raw(t, w, quiet, "SUB work g 1", "SUB work 2", "PING")
	expect(t, fromB, "PONG")
	c, fromC := raw(t, w, quiet, "SUB work g 7", "PING")
	expect(t, fromC, "PONG")
	a, fromA := raw(t, w, quiet, "PING")
	expect(t, fromA, "PONG")

	tx := w.broker.Begin() // what is published waits for its turn to be stored, and is delivered after that
	send(t, a, strings.Repeat("PUB work 1\r\nx\r\n", n)+"PUB stored 0", "", "PING")
	member := subOf(w, b, "2")
	eventually(t, "it is published", func() bool { return member.taken.Load() == n })
	send(t, b, "UNSUB 1", "UNSUB 2", "PING")
	expect(t, fromB, "PONG")
	tx.Commit()
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
	bound(t, w, core.SubjectExchange, "stored", "stored")
	b, fromB := raw(t, w, quiet, "SUB work g 1", "PING")
	expect(t, fromB, "PONG")
	a, fromA := raw(t, w, `CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}`, "SUB in 3", "PING")
	expect(t, fromA, "PONG")
	tx := w.broker.Begin()
	send(t, a, "PUB work in 1", "x", "PUB stored 0", "")
	member := subOf(w, b, "1")
	eventually(t, "it is published", func() bool { return member.taken.Load() == 1 })
	send(t, b, "UNSUB 1", "PING")
	expect(t, fromB, "PONG")
	tx.Commit()
	expect(t, fromA, "HMSG in 3 36 36", "NATS/1.0 503", "Nats-Subject: work", "", "")
}

// subOf is a client's subscription.
func subOf(w *world, nc net.Conn, sid string) *sub {
	for _, c := range w.conns() {
		if c.nc.RemoteAddr().String() == nc.LocalAddr().String() {
			c.subs.mu.Lock()
			defer c.subs.mu.Unlock()
			return c.subs.mu.bySid[sid]
		}
	}
	return nil
}
