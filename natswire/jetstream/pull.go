package jetstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// pull is what a pull consumer has besides its cursor: the requests that wait for
// messages, served in turn.
type pull struct {
	waiting []*pullRequest
	pin     pin
	appends *appends // while requests wait for more messages
}

// pullRequest is one client's request for messages.
type pullRequest struct {
	reply     []byte
	n, sent   int // messages still to send, and sent
	bytes     int // still to send, if bounded
	bounded   bool
	noWait    bool
	expires   time.Time // zero = never
	heartbeat time.Duration
	beat      time.Time // when the next heartbeat is due
	// group is what it says of its priority group, if it is grouped: in JSON.
	group   server.PriorityGroup
	grouped bool
}

// maxBatch is more than anybody waits for, and can be added up.
const maxBatch = math.MaxInt32

// parsePull reads the body of a request: nothing for one message, a number, or JSON
// (nats-server 2.15.2, consumer.go nextReqFromMsg).
func parsePull(body []byte, now time.Time) (p pullRequest, err error) {
	body = bytes.TrimSpace(body)
	p.n = 1
	if len(body) == 0 {
		return p, nil
	}
	if body[0] != '{' {
		if n, err := strconv.Atoi(string(body)); err == nil {
			p.n = min(n, maxBatch)
		}
		return p, nil
	}
	var r server.JSApiConsumerGetNextRequest
	if err := json.Unmarshal(body, &r); err != nil {
		return p, err
	}
	if r.Heartbeat > 0 {
		if r.Heartbeat*2 > r.Expires {
			return p, fmt.Errorf("heartbeat value too large")
		}
		p.heartbeat, p.beat = r.Heartbeat, now.Add(r.Heartbeat)
	}
	p.n, p.bytes, p.bounded, p.noWait = min(r.Batch, maxBatch), r.MaxBytes, r.MaxBytes > 0, r.NoWait
	if r.Expires != 0 {
		p.expires = now.Add(r.Expires)
	}
	p.group, p.grouped = r.PriorityGroup, true
	return p, nil
}

// next takes a request published to CONSUMER.MSG.NEXT.S.C. Without such a consumer nobody
// responds.
func (a *account) next(m *wire.Msg) bool {
	c := a.consumer(m.Subject[len(nextPrefix):])
	if c == nil {
		c = a.exposedConsumer(m.Subject[len(nextPrefix):])
	}
	if c == nil {
		return false
	}
	if len(m.Reply) == 0 {
		return true
	}
	if tooNew(m.Header) {
		a.status(m.Reply, "412 Required Api Level")
		return true
	}
	c.request(m.Reply, m.Payload)
	return true
}

// request adds a pull request, or refuses it (nats-server 2.15.2, consumer.go
// processNextMsgRequest).
func (c *consumer) request(reply, body []byte) {
	cfg, now := c.config(), time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	refuse := func(line string) {
		c.status(reply, line)
		c.mu.out.Flush()
	}
	if cfg.DeliverSubject != "" {
		refuse("409 Consumer is push based")
		return
	}
	if c.mu.closed {
		refuse("409 Consumer Deleted")
		return
	}
	p, err := parsePull(body, now)
	switch {
	case err != nil:
		refuse("400 Bad Request - " + err.Error())
		return
	case cfg.MaxRequestBatch > 0 && p.n > cfg.MaxRequestBatch:
		refuse(fmt.Sprintf("409 Exceeded MaxRequestBatch of %d", cfg.MaxRequestBatch))
		return
	case !p.expires.IsZero() && cfg.MaxRequestExpires > 0 && p.expires.Sub(now) > cfg.MaxRequestExpires:
		refuse(fmt.Sprintf("409 Exceeded MaxRequestExpires of %v", cfg.MaxRequestExpires))
		return
	case p.bytes > 0 && cfg.MaxRequestMaxBytes > 0 && p.bytes > cfg.MaxRequestMaxBytes:
		refuse(fmt.Sprintf("409 Exceeded MaxRequestMaxBytes of %d", cfg.MaxRequestMaxBytes))
		return
	}
	if line := c.join(cfg, &p, now); line != "" {
		refuse(line)
		return
	}
	c.mu.active = now
	w := &c.mu.pull
	if len(w.waiting) >= cfg.MaxWaiting {
		c.sweep(now)
		c.lessCredit()
	}
	if p.noWait {
		asked := int64(0)
		for _, o := range w.waiting {
			asked += int64(o.n)
		}
		switch st := c.cursor.State(); {
		case st.Pending+st.Again == 0 && p.expires.IsZero():
			refuse("404 No Messages")
			return
		case st.Pending > 0 && st.Pending < asked:
			refuse("408 Requests Pending")
			return
		}
	}
	if len(w.waiting) >= cfg.MaxWaiting {
		// A client with heartbeats notices by itself; an answer would make it ask again at once.
		if p.heartbeat == 0 {
			refuse("409 Exceeded MaxWaiting")
		}
		return
	}
	p.reply = bytes.Clone(reply)
	p.n = max(p.n, 1)
	w.add(cfg, &p)
	if len(c.mu.held) > 0 && c.mu.release.IsZero() {
		c.unhold(cfg)
		c.mu.out.Flush()
	}
	if c.mu.sub != nil && !p.done() {
		if cfg.PriorityPolicy != server.PriorityNone {
			c.recredit()
		} else if c.stepwise(cfg) {
			if c.mu.sub.Credit() <= 0 {
				c.mu.sub.AddCredit(1)
			}
		} else {
			c.mu.sub.AddCredit(p.n)
		}
	}
	c.arm()
}

func (p *pullRequest) done() bool { return p.n <= 0 }

// unhold delivers what was held back. Requires: mu.
func (c *consumer) unhold(cfg *server.ConsumerConfig) {
	ds := c.mu.held
	c.mu.held, c.mu.release = nil, time.Time{}
	if len(ds) > 0 && cfg.ReplayPolicy == server.ReplayOriginal {
		c.mu.lastMsg = 0 // the first one has waited
	}
	c.deliver(cfg, ds, time.Now())
}

// stepwise reports whether messages must come one at a time: because requests are bounded
// in bytes, or because the time between them matters. Requires: mu.
func (c *consumer) stepwise(cfg *server.ConsumerConfig) bool {
	if cfg.ReplayPolicy == server.ReplayOriginal || c.prioritized(cfg) {
		return true
	}
	for _, p := range c.mu.pull.waiting {
		if p.bounded {
			return true
		}
	}
	return false
}

// credit makes the subscription's credit what may still be delivered. Requires: mu, and
// that no delivery is under way.
func (c *consumer) credit(cfg *server.ConsumerConfig) {
	if c.mu.sub == nil {
		return
	}
	want := 0
	switch {
	case len(c.mu.held) > 0, c.returning(cfg):
	case cfg.DeliverSubject != "":
		want = c.pushCredit(cfg)
	default:
		want = c.asked(cfg)
		if want > 1 && c.stepwise(cfg) {
			want = 1
		}
	}
	if c.mu.sub.Credit() != want || want == 0 && cfg.PriorityPolicy != server.PriorityNone {
		c.mu.sub.SetCredit(want, 0)
	}
}

// lessCredit takes back credit that no request stands for any more. Unlike credit it may be
// called while a delivery is under way. Requires: mu.
func (c *consumer) lessCredit() {
	if c.mu.sub == nil {
		return
	}
	want := c.asked(c.config())
	if c.mu.sub.Credit() > want {
		c.mu.sub.SetCredit(want, 0)
	}
}

// pullOne gives a message, m of d, to the request whose turn it is. Requires: mu.
func (c *consumer) pullOne(cfg *server.ConsumerConfig, m *wire.Msg, size int, d *core.Delivery, now time.Time) bool {
	w := &c.mu.pull
	unacked := func() int {
		n := c.cursor.State().InFlight
		if d.Attempt == 1 {
			n-- // it counts already
		}
		return n
	}
	for i := 0; i < len(w.waiting); {
		p := w.waiting[i]
		if !p.expires.IsZero() && !now.Before(p.expires) {
			c.expire(p)
			w.remove(i)
			continue
		}
		switch c.turnOf(cfg, p, d.Pending+1, unacked) {
		case passOver:
			i++
			continue
		case wrongPin:
			c.pendingStatus(p, "423 Nats-Wrong-Pin-Id")
			w.remove(i)
			continue
		}
		last := false
		if p.bounded {
			if size > p.bytes {
				c.pendingStatus(p, "409 Message Size Exceeds MaxBytes")
				w.remove(i)
				continue
			}
			last = p.bytes == size
		}
		out := m
		pinned := cfg.PriorityPolicy == server.PriorityPinnedClient
		fresh := pinned && w.pin.id == "" && p.group.Group != ""
		if fresh {
			c.pinTo(cfg, p, now)
		}
		if pinned {
			with := *m
			with.Header = m.Header.Set(server.JSPullRequestNatsPinId, []byte(w.pin.id))
			out = &with
		}
		if c.mu.out.Send(p.reply, out) == 0 {
			if fresh {
				w.pin = pin{}
			}
			w.remove(i) // nobody is there any more
			continue
		}
		if fresh {
			c.advisePinned(w.pin)
		}
		p.n--
		p.sent++
		if p.bounded {
			p.bytes -= size
			if last {
				p.n = 0
			}
		}
		if p.heartbeat > 0 {
			p.beat = now.Add(p.heartbeat)
		}
		if p.done() {
			if p.bounded && p.bytes > 0 {
				c.pendingStatus(p, "409 Batch Completed")
			}
			w.remove(i)
		} else if len(w.waiting) > 1 {
			w.remove(i)
			w.add(cfg, p)
		}
		return true
	}
	return false
}

func (w *pull) remove(i int) {
	if i == 0 { // as a rule
		w.waiting[0] = nil
		w.waiting = w.waiting[1:]
	} else {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
	if len(w.waiting) == 0 {
		w.waiting = nil
	}
}

// pendingStatus sends a status with what the request did not get. Requires: mu.
func (c *consumer) pendingStatus(p *pullRequest, line string) {
	h := append(append(c.mu.header[:0], wire.HeaderLine+" "...), line...)
	h = append(h, "\r\n"+server.JSPullRequestPendingMsgs+": "...)
	h = strconv.AppendInt(h, int64(p.n), 10)
	h = append(h, "\r\n"+server.JSPullRequestPendingBytes+": "...)
	h = strconv.AppendInt(h, int64(p.bytes), 10)
	h = append(h, "\r\n\r\n"...)
	c.mu.header = h
	c.mu.out.Send(nil, &wire.Msg{Subject: p.reply, Header: h})
}

// expire ends a request whose time is up; that counts as activity. Requires: mu.
func (c *consumer) expire(p *pullRequest) {
	c.pendingStatus(p, "408 Request Timeout")
	if p.expires.After(c.mu.active) {
		c.mu.active = p.expires
	}
}

// sweep expires requests, forgets those whose client left, and sends heartbeats.
// Requires: mu.
func (c *consumer) sweep(now time.Time) {
	w := &c.mu.pull
	kept := w.waiting[:0]
	for _, p := range w.waiting {
		switch {
		case !p.expires.IsZero() && !now.Before(p.expires):
			c.expire(p)
			continue
		case !c.a.interested(string(p.reply)):
			continue
		case p.heartbeat > 0 && !now.Before(p.beat):
			c.heartbeat(p.reply)
			p.beat = now.Add(p.heartbeat)
		}
		kept = append(kept, p)
	}
	clear(w.waiting[len(kept):])
	w.waiting = kept
}

// idle ends the requests that do not wait: the cursor has nothing more. Those that may
// expire wait for a first message. Requires: mu.
func (c *consumer) idle() {
	w := &c.mu.pull
	if len(w.waiting) == 0 {
		return
	}
	kept := w.waiting[:0]
	for _, p := range w.waiting {
		if p.noWait && (p.expires.IsZero() || p.sent > 0) {
			c.status(p.reply, "404 No Messages")
			c.mu.active = time.Now()
			continue
		}
		kept = append(kept, p)
	}
	clear(w.waiting[len(kept):])
	w.waiting = kept
}

// heartbeat tells that the consumer is alive and where it is. Requires: mu.
func (c *consumer) heartbeat(to []byte) {
	st := c.cursor.State()
	h := append(c.mu.header[:0], wire.HeaderLine+" 100 Idle Heartbeat\r\n"+server.JSLastConsumerSeq+": "...)
	h = strconv.AppendUint(h, st.Deliveries, 10)
	h = append(h, "\r\n"+server.JSLastStreamSeq+": "...)
	h = strconv.AppendUint(h, lastDelivered(&st), 10)
	h = append(h, "\r\n"...)
	if id := c.mu.push.flow; len(id) > 0 {
		h = append(append(append(h, server.JSConsumerStalled+": "...), id...), "\r\n"...)
	}
	h = append(h, "\r\n"...)
	c.mu.header = h
	c.mu.out.Send(to, &wire.Msg{Subject: to, Header: h})
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }
