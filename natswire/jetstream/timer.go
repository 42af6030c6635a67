package jetstream

import (
	"time"
)

// pullSweep is how often the requests of a pull consumer are checked for clients that
// left, when nothing is due before.
const pullSweep = 10 * time.Second

// minWait keeps a deadline that is due at once from spinning.
const minWait = time.Millisecond

// arm sets the consumer's timer to what is due next. Requires: mu.
func (c *consumer) arm() {
	if c.mu.closed {
		return
	}
	var due time.Time
	at := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	cfg, now := c.config(), time.Now()
	at(c.mu.release)
	if cfg.DeliverSubject == "" {
		for _, p := range c.mu.pull.waiting {
			at(p.expires)
			at(p.beat)
		}
		at(c.mu.pull.pin.due)
		if len(c.mu.pull.waiting) > 0 {
			at(now.Add(pullSweep))
		} else if cfg.InactiveThreshold > 0 {
			at(c.mu.active.Add(cfg.InactiveThreshold))
		}
	} else {
		p := &c.mu.push
		if p.bound {
			at(p.beat)
			if p.stalled {
				at(now.Add(stallCheck))
			}
			if cfg.RateLimit > 0 && now.Before(p.paced) {
				at(p.paced)
			}
		} else if cfg.InactiveThreshold > 0 {
			at(p.unbound.Add(cfg.InactiveThreshold))
		}
	}
	switch {
	case due.IsZero():
		if c.mu.timer != nil {
			c.mu.timer.Stop()
		}
		c.mu.due = due
	case c.mu.due.IsZero() || due.Before(c.mu.due):
		c.mu.due = due
		wait := max(time.Until(due), minWait)
		if c.mu.timer == nil {
			c.mu.timer = time.AfterFunc(wait, c.fire)
		} else {
			c.mu.timer.Reset(wait)
		}
	}
	// A later deadline leaves the timer as it is: it fires early and is set anew.
}

// fire does what is due.
func (c *consumer) fire() {
	if !c.a.e.enter() {
		return
	}
	defer c.a.e.leave()
	c.mu.Lock()
	if c.mu.closed {
		c.mu.Unlock()
		return
	}
	c.mu.due = time.Time{}
	now, cfg := time.Now(), c.config()
	if !c.mu.release.IsZero() && !now.Before(c.mu.release) {
		c.unhold(cfg)
		c.credit(cfg)
	}
	inactive := time.Time{} // since when nobody uses it
	if cfg.DeliverSubject == "" {
		if len(c.mu.pull.waiting) > 0 {
			c.sweep(now)
			c.lessCredit()
		}
		if p := &c.mu.pull.pin; p.id != "" && !now.Before(p.due) {
			c.unpin(p.group, "timeout")
		}
		if len(c.mu.pull.waiting) == 0 {
			inactive = c.mu.active
			c.unwatchAppends()
		}
	} else {
		c.firePush(now)
		if !c.mu.push.bound {
			inactive = c.mu.push.unbound
		}
	}
	c.mu.out.Flush()
	if !inactive.IsZero() && cfg.InactiveThreshold > 0 && now.Sub(inactive) >= cfg.InactiveThreshold {
		if left := c.working(now); left > 0 {
			// Somebody may still work on what it got.
			c.mu.active = now.Add(left - cfg.InactiveThreshold)
			c.mu.push.unbound = c.mu.active
		} else {
			c.mu.Unlock()
			if err := c.delete(); err != nil {
				c.a.e.log.Error("inactive consumer cannot be deleted", "consumer", c.key, "err", err)
			}
			return
		}
	}
	c.arm()
	c.mu.Unlock()
}

// working is how long the consumer is to be kept because messages that a pull client got
// are not yet overdue. Requires: mu.
func (c *consumer) working(now time.Time) time.Duration {
	cfg := c.config()
	if cfg.DeliverSubject != "" || c.mu.delivered.IsZero() || c.cursor.State().InFlight == 0 {
		return 0
	}
	wait := cfg.AckWait
	if n := len(cfg.BackOff); n > 0 {
		wait = cfg.BackOff[n-1]
	}
	return c.mu.delivered.Add(wait + cfg.InactiveThreshold).Sub(now)
}

// firePush sends heartbeats and goes on after a stall. Requires: mu.
func (c *consumer) firePush(now time.Time) {
	cfg, p := c.config(), &c.mu.push
	if !p.bound {
		return
	}
	if cfg.Heartbeat > 0 && !now.Before(p.beat) {
		c.heartbeat(p.to)
		p.beat = now.Add(cfg.Heartbeat)
	}
	if p.stalled {
		p.stalled = c.mu.out.Backlog() > pushBacklog
	}
	if !p.stalled {
		c.credit(cfg)
	}
}
