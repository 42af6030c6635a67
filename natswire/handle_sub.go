package natswire

import (
	"bytes"
	"sync/atomic"

	"trivium/core"
	"trivium/natswire/wire"
)

// sub is one subscription of a client. It is the core.Receiver by which other
// doors reach it; this door's producers deliver to its connection directly.
type sub struct {
	c        *conn
	sid      []byte
	subject  string
	queue    string
	ns       *core.Namespace
	interest *core.Interest
	// taken counts deliveries since the subscription began, max (0 = none) ends it.
	taken, max atomic.Int64
	gone       atomic.Bool
	// left: the client unsubscribed, and once it got the answer to a PING that it sent after that, nothing more
	// is to come: what was taken and is not yet in its output goes to others of the queue group.
	left atomic.Bool
}

// take claims one delivery. It reports false if the subscription is over; the one that
// is the last by UNSUB's count ends it.
func (u *sub) take() bool {
	if u.gone.Load() || u.c.closed.Load() {
		return false
	}
	n := u.taken.Add(1)
	if m := u.max.Load(); m > 0 && n >= m {
		u.c.remove(u)
		return n == m
	}
	return true
}

// subscribe handles SUB. A sid that is in use keeps its subscription.
func (c *conn) subscribe(op *wire.Op) {
	if len(op.Queue) > 0 && string(op.Queue) == systemGroup {
		c.reply(wire.AppendErr(nil, `Permissions Violation for Subscription to "`+string(op.Subject)+`" using queue "`+systemGroup+`"`))
		return
	}
	c.subs.mu.Lock()
	n := len(c.subs.mu.bySid)
	_, used := c.subs.mu.bySid[string(op.Sid)]
	c.subs.mu.Unlock()
	if c.s.o.MaxSubscriptions > 0 && n >= c.s.o.MaxSubscriptions {
		c.reply(wire.AppendErr(nil, errMaxSubs))
		return
	}
	if !used {
		subject := string(op.Subject)
		if !core.ValidSubject(subject) {
			c.reply(wire.AppendErr(nil, errBadSubject))
			return
		}
		u := &sub{c: c, ns: c.ns, sid: bytes.Clone(op.Sid), subject: subject, queue: string(op.Queue)}
		c.subs.mu.Lock()
		c.subs.mu.bySid[string(op.Sid)] = u
		c.subs.mu.Unlock()
		u.interest = c.subj.Subscribe(u.subject, u.queue, u)
		if c.s.js != nil {
			c.s.js.Interest(c.ns, op.Subject, false)
		}
	}
	if c.opts.Verbose {
		c.reply(wire.OKLine)
	}
}

// systemGroup is the queue group of the server itself.
const systemGroup = "_sys_"

// unsubscribe handles UNSUB. Its maximum counts from the start of the subscription; one that
// is already reached ends it at once.
func (c *conn) unsubscribe(op *wire.Op) {
	c.subs.mu.Lock()
	u := c.subs.mu.bySid[string(op.Sid)]
	c.subs.mu.Unlock()
	if u != nil {
		u.max.Store(int64(op.Max))
		u.left.Store(op.Max == 0)
		if op.Max == 0 || u.taken.Load() >= int64(op.Max) {
			c.remove(u)
		}
	}
	if c.opts.Verbose {
		c.reply(wire.OKLine)
	}
}

// remove ends a subscription; from any goroutine.
func (c *conn) remove(u *sub) {
	if !u.gone.CompareAndSwap(false, true) {
		return
	}
	c.subs.mu.Lock()
	if c.subs.mu.bySid[string(u.sid)] == u {
		delete(c.subs.mu.bySid, string(u.sid))
	}
	c.subs.mu.Unlock()
	u.interest.Close()
	if c.s.js != nil {
		c.s.js.Interest(u.ns, []byte(u.subject), true)
	}
}

// dropSubs ends all subscriptions.
func (c *conn) dropSubs() {
	c.subs.mu.Lock()
	all := c.subs.mu.bySid
	c.subs.mu.bySid = make(map[string]*sub)
	c.subs.mu.Unlock()
	for _, u := range all {
		c.remove(u)
	}
}
