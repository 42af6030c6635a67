package natswire

import "sync/atomic"

// counters are the server's totals.
type counters struct {
	connections, total, slow, stale, stalls atomic.Int64
	inMsgs, inBytes                         atomic.Int64
	// outMsgs and outBytes of connections that are gone.
	outMsgs, outBytes        atomic.Int64
	dropped, refused, unkept atomic.Int64
}

// Metrics is a snapshot of a Server's counters.
type Metrics struct {
	// Connections are open now, TotalConnections since the start.
	Connections, TotalConnections   int64
	Subscriptions                   int64
	InMsgs, InBytes                 int64
	OutMsgs, OutBytes               int64
	SlowConsumers, StaleConnections int64
	// StalledProducers counts the waits of clients for others that are behind.
	StalledProducers int64
	// HeadersDropped counts headers of other doors' messages that NATS cannot carry.
	HeadersDropped int64
	// Refused counts publishes that a bound queue or stream did not take, Unkept the server's
	// own messages that streams should have stored but there were too many.
	Refused, Unkept int64
	PendingBytes    int64
}

// Metrics returns the counters.
func (s *Server) Metrics() Metrics {
	m := Metrics{
		Connections: s.count.connections.Load(), TotalConnections: s.count.total.Load(),
		InMsgs: s.count.inMsgs.Load(), InBytes: s.count.inBytes.Load(),
		OutMsgs: s.count.outMsgs.Load(), OutBytes: s.count.outBytes.Load(),
		SlowConsumers: s.count.slow.Load(), StaleConnections: s.count.stale.Load(),
		StalledProducers: s.count.stalls.Load(), HeadersDropped: s.count.dropped.Load(),
		Refused: s.count.refused.Load(), Unkept: s.count.unkept.Load(),
	}
	if s.js != nil {
		m.HeadersDropped += s.js.HeadersDropped()
	}
	for _, c := range s.conns() {
		c.out.mu.Lock()
		m.OutMsgs += c.out.mu.msgs
		m.OutBytes += c.out.mu.bytes
		m.PendingBytes += int64(c.out.mu.pending)
		c.out.mu.Unlock()
		c.subs.mu.Lock()
		m.Subscriptions += int64(len(c.subs.mu.bySid))
		c.subs.mu.Unlock()
	}
	return m
}
