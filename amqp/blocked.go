package amqp

import (
	"errors"
	"sync/atomic"

	"trivium/amqp/wire"
	"trivium/core"
)

// blocked is where the reader of a connection waits that publishes while core has an
// alarm: as in RabbitMQ, nothing more of it is read until the alarm ends, and a client
// that can hear it is told. What is delivered to it goes on, connections that only consume
// notice nothing.
type blocked struct {
	on   atomic.Bool // the reader waits
	wake chan struct{}
}

func (b *blocked) init() { b.wake = make(chan struct{}, 1) }

// nudge has a waiting reader look again. Any goroutine.
func (b *blocked) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// publishes reports whether f begins a message.
func publishes(f wire.Frame) bool {
	return f.Type == wire.FrameMethod && f.Channel != 0 && wire.MethodID(f.Payload) == wire.IDPublish
}

// block waits while there is an alarm, and reports whether the connection goes on.
func (c *conn) block() bool {
	alarm := c.s.Broker.Alarm()
	if alarm == nil || c.closing.Load() {
		return true
	}
	c.commit() // what came before
	c.log.Debug("connection blocked", "err", alarm)
	c.s.metrics.blocked.Add(1)
	c.blocked.on.Store(true)
	if c.caps.blocked {
		c.send(0, &wire.ConnectionBlocked{Reason: blockedReason(alarm)})
	}
	c.out.flush()
	for c.s.Broker.Alarm() != nil && !c.closing.Load() && !c.aborted.Load() {
		<-c.blocked.wake
		c.patrolled()
	}
	c.blocked.on.Store(false)
	c.s.metrics.blocked.Add(-1)
	if c.caps.blocked && !c.closing.Load() {
		c.send(0, &wire.ConnectionUnblocked{})
	}
	return !c.aborted.Load()
}

// blockedReason is what RabbitMQ says, if it knows the reason.
func blockedReason(alarm error) string {
	var e *core.Error
	if errors.As(alarm, &e) && e.Code == core.NoSpace {
		return "low on disk"
	}
	return "the store is read-only"
}

// alarmed has blocked connections look again.
func (s *Server) alarmed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.mu.conns {
		c.blocked.nudge()
	}
}
