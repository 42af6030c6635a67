package amqp

import "time"

// patrolInterval is how often a connection looks for deliveries that are held too long.
const patrolInterval = time.Minute

// startPatrol wakes the reader, who owns the channels, when there may be something held too long: its read
// ends by a deadline that is over.
func (c *conn) startPatrol() {
	timeout := c.s.ConsumerTimeout
	if timeout < 0 {
		return
	}
	interval := min(timeout, patrolInterval)
	c.patrol = time.AfterFunc(time.Hour, func() {
		if c.ended.Load() || c.closing.Load() {
			return
		}
		if c.holding.Load() {
			c.audit.Store(true)
			_ = c.nc.SetReadDeadline(time.Unix(1, 0))
			c.blocked.nudge()
		}
		c.patrol.Reset(interval)
	})
	c.patrol.Reset(interval)
}

// patrolled is what the reader does when it was woken.
func (c *conn) patrolled() {
	if c.audit.Swap(false) {
		c.closeOverdue()
	}
}

// closeOverdue closes the channels whose client holds a delivery too long.
func (c *conn) closeOverdue() {
	timeout := c.s.ConsumerTimeout
	limit := time.Now().Add(-timeout).UnixNano()
	c.holding.Store(false)
	for _, ch := range c.channels {
		ch.mu.Lock()
		oldest := ch.mu.unacked.oldest()
		ch.mu.Unlock()
		if oldest == 0 {
			continue
		}
		c.holding.Store(true)
		if oldest < limit {
			ch.fail(refuse(codePreconditionFailed, "delivery acknowledgement on channel %d timed out. Timeout value used: %d ms. "+
				"This timeout value can be configured, see consumers doc guide to learn more", ch.id, timeout.Milliseconds()), 0)
		}
	}
	c.out.flush()
}
