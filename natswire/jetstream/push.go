package jetstream

import (
	"crypto/rand"
	"encoding/hex"
	"math"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/natswire/wire"
)

// Bounds of what a push consumer may have under way to its subscriber.
const (
	// pushBurst is how many messages the cursor may hand over at once.
	pushBurst = 512
	// pushBacklog is how many unsent bytes of its subscriber's connection make a consumer
	// hold back, and stallCheck how often it looks whether they became fewer.
	pushBacklog = 8 << 20
	stallCheck  = 5 * time.Millisecond
	// flowLimit is the most bytes under way with flow control; it starts at a sixteenth
	// (nats-server's JsFlowControlMaxPending).
	flowLimit = server.JsFlowControlMaxPending
	flowStart = flowLimit / 16
)

// push is what a push consumer has besides its cursor.
type push struct {
	to    []byte // the deliver subject
	bound bool   // somebody listens to it
	// unbound is since when nobody does.
	unbound time.Time
	stalled bool
	beat    time.Time // when the next heartbeat is due
	paced   time.Time // when the rate limit allows the next message

	// Flow control: bytes sent and not yet confirmed, how many there may be, the
	// subject of the confirmation that is awaited and how many bytes it will cover.
	window, unconfirmed, covered int
	flow                         []byte
}

// startPush looks whether somebody listens. Requires: mu.
func (c *consumer) startPush() {
	cfg, p := c.config(), &c.mu.push
	p.to = []byte(cfg.DeliverSubject)
	p.unbound = time.Now()
	if cfg.FlowControl {
		p.window = flowStart
	}
	if cfg.Heartbeat > 0 {
		p.beat = time.Now().Add(cfg.Heartbeat)
	}
	if c.a.interested(cfg.DeliverSubject) {
		c.rebind(true)
	}
}

// interest hears that somebody began to listen, or may have stopped.
func (c *consumer) interest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	bound := c.a.interested(c.deliverSubject())
	if !c.mu.closed && bound != c.mu.push.bound {
		c.rebind(bound)
		c.arm()
	}
}

// rebind starts or stops delivery. Requires: mu.
func (c *consumer) rebind(bound bool) {
	cfg, p := c.config(), &c.mu.push
	p.bound = bound
	if !bound {
		p.unbound = time.Now()
		p.flow, p.unconfirmed, p.covered = nil, 0, 0
		if c.mu.sub != nil {
			c.mu.sub.SetCredit(0, 0)
		}
		return
	}
	if c.mu.sub == nil {
		if err := c.subscribe(0); err != nil {
			c.a.e.log.Error("consumer cannot be served", "consumer", c.key, "err", err)
			return
		}
	}
	if len(c.mu.held) > 0 && c.mu.release.IsZero() {
		c.unhold(cfg)
		c.mu.out.Flush()
	}
	c.credit(cfg)
}

// pushCredit is how many messages may be handed over now. Requires: mu.
func (c *consumer) pushCredit(cfg *server.ConsumerConfig) int {
	p := &c.mu.push
	if !p.bound || p.stalled || p.window > 0 && p.unconfirmed > p.window {
		return 0
	}
	if cfg.RateLimit > 0 {
		if time.Now().Before(p.paced) {
			return 0
		}
		return 1
	}
	if cfg.ReplayPolicy == server.ReplayOriginal {
		return 1
	}
	return pushBurst
}

// pushOne sends a message to the deliver subject. Requires: mu.
func (c *consumer) pushOne(cfg *server.ConsumerConfig, m *wire.Msg, size int) bool {
	p := &c.mu.push
	if !p.bound {
		return false
	}
	if c.mu.out.Send(p.to, m) == 0 {
		c.rebind(false)
		return false
	}
	if cfg.Heartbeat > 0 {
		p.beat = time.Now().Add(cfg.Heartbeat)
	}
	if cfg.RateLimit > 0 {
		sent := time.Duration(float64(size*8) / float64(cfg.RateLimit) * float64(time.Second))
		if now := time.Now(); p.paced.Before(now) {
			p.paced = now
		}
		p.paced = p.paced.Add(min(sent, math.MaxInt64/4))
	}
	if p.window > 0 {
		p.unconfirmed += size
		switch {
		case p.flow == nil && p.unconfirmed > p.window/2:
			c.askFlow()
		case p.flow != nil && p.unconfirmed-p.covered >= p.window:
			p.covered += size
		}
	}
	p.stalled = c.mu.out.Backlog() > pushBacklog
	return true
}

// askFlow asks the subscriber to confirm what it got. Requires: mu.
func (c *consumer) askFlow() {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	p := &c.mu.push
	p.flow = append([]byte(flowPrefix+c.key+"."), hex.EncodeToString(id[:])...)
	p.covered = p.unconfirmed
	h := append(c.mu.header[:0], wire.HeaderLine+" 100 FlowControl Request\r\n\r\n"...)
	c.mu.header = h
	c.mu.out.Send(p.to, &wire.Msg{Subject: p.to, Reply: p.flow, Header: h})
}

// flow takes a confirmation: a publish to $JS.FC.<stream>.<consumer>.<id>.
func (a *account) flow(x *commit, m *wire.Msg) {
	rest := m.Subject[len(flowPrefix):]
	for i := len(rest) - 1; i > 0; i-- {
		if rest[i] != '.' {
			continue
		}
		if c := a.consumer(rest[:i]); c != nil {
			id := string(m.Subject)
			x.after = append(x.after, func() { c.confirmed(id) })
		}
		return
	}
}

// confirmed widens the window and lets more messages through.
func (c *consumer) confirmed(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.mu.push
	if c.mu.closed || string(p.flow) != id {
		return
	}
	p.window = min(p.window*2, flowLimit)
	p.unconfirmed = max(p.unconfirmed-p.covered, 0)
	p.flow, p.covered = nil, 0
	c.credit(c.config())
	c.arm()
}
