package natswire

import (
	"math/rand/v2"
	"time"

	"trivium/natswire/wire"
)

// firstPing is when the first PING goes out after CONNECT, to measure the round
// trip early.
const firstPing = 2 * time.Second

// startTimers arms the pings, and the wait for CONNECT if one is required.
func (c *conn) startTimers() {
	p := &c.ping
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.first = true
	p.mu.timer = time.AfterFunc(c.s.o.PingInterval, c.pingTime)
	if c.refusing {
		p.mu.auth = time.AfterFunc(c.s.o.AuthTimeout, func() {
			c.say(wire.AppendErr(nil, errAuthTimeout))
			c.close(AuthenticationTimeout)
		})
	}
}

func (c *conn) stopTimers() {
	p := &c.ping
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.timer != nil {
		p.mu.timer.Stop()
	}
	if p.mu.auth != nil {
		p.mu.auth.Stop()
	}
}

// armFirstPing restarts the clock after CONNECT, with up to a fifth more so that
// connections do not ping in step.
func (c *conn) armFirstPing() {
	d := min(c.s.o.PingInterval, firstPing)
	d += rand.N(d/5 + 1)
	p := &c.ping
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.auth != nil {
		p.mu.auth.Stop()
	}
	p.mu.timer.Reset(d)
}

// pingTime sends a PING if nothing arrived since the last time, and gives up on a client
// that left too many of them unanswered.
func (c *conn) pingTime() {
	if c.closed.Load() {
		return
	}
	p := &c.ping
	p.mu.Lock()
	if p.mu.first && !p.answered.Load() && time.Since(c.start) < c.s.o.PingInterval {
		// Clients that begin with a PING take nothing but its PONG: they may be slow.
		p.mu.timer.Reset(min(c.s.o.PingInterval, firstPing))
		p.mu.Unlock()
		return
	}
	send := !p.active.Swap(false) || p.mu.first
	stale := send && p.mu.out+1 > c.s.o.MaxPingsOut
	if send && !stale {
		p.mu.out++
		p.mu.first = false
	}
	p.mu.Unlock()
	if stale {
		c.s.count.stale.Add(1)
		c.say(wire.AppendErr(nil, errStale))
		c.close(StaleConnection)
		return
	}
	if send {
		c.say(wire.PingLine)
	}
	p.mu.Lock()
	p.mu.timer.Reset(c.s.o.PingInterval)
	p.mu.Unlock()
	if c.closed.Load() {
		c.stopTimers()
	}
}

func (c *conn) gotPong() {
	c.ping.mu.Lock()
	c.ping.mu.out = 0
	c.ping.mu.Unlock()
}

// gotPing answers, and the first time tells the client what it is connected to.
func (c *conn) gotPing() {
	c.reply(wire.PongLine)
	if !c.connected || c.ponged {
		return
	}
	c.ponged = true
	if c.opts.Protocol < 1 {
		return
	}
	i := c.info()
	i.ConnectInfo, i.RemoteAccount = true, account(c.ns)
	c.reply(appendInfo(nil, &i))
}
