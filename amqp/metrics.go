package amqp

import "sync/atomic"

// counters only grow, so that rates stay true when channels close.
type counters struct {
	connectionsOpened, connectionsClosed atomic.Int64
	channelsOpened, channelsClosed       atomic.Int64
	published, publishedBytes            atomic.Int64
	returned, dropped                    atomic.Int64
	confirmed, nacked                    atomic.Int64
	delivered, deliveredBytes            atomic.Int64
	redelivered, acked, requeued         atomic.Int64
	got, gotEmpty                        atomic.Int64
	refusals, headersDropped             atomic.Int64
	blocked                              atomic.Int64
}

// Metrics is a snapshot of the server's counters.
type Metrics struct {
	ConnectionsOpened, ConnectionsClosed int64
	ChannelsOpened, ChannelsClosed       int64
	// Published messages and the bytes of their bodies; Returned and Dropped had no
	// destination, mandatory or not.
	Published, PublishedBytes int64
	Returned, Dropped         int64
	// Confirmed and Nacked count messages on channels in confirm mode.
	Confirmed, Nacked int64
	// Delivered counts pushes, Got basic.get.
	Delivered, DeliveredBytes    int64
	Redelivered, Acked, Requeued int64
	Got, GotEmpty                int64
	// Refusals are protocol errors, of channels and connections.
	Refusals int64
	// HeadersDropped counts headers of other doors' messages that AMQP cannot carry.
	HeadersDropped int64
	// Blocked is how many connections wait for an alarm to end.
	Blocked int64
}

// Metrics is a snapshot.
func (s *Server) Metrics() Metrics {
	m := &s.metrics
	return Metrics{
		ConnectionsOpened: m.connectionsOpened.Load(), ConnectionsClosed: m.connectionsClosed.Load(),
		ChannelsOpened: m.channelsOpened.Load(), ChannelsClosed: m.channelsClosed.Load(),
		Published: m.published.Load(), PublishedBytes: m.publishedBytes.Load(),
		Returned: m.returned.Load(), Dropped: m.dropped.Load(),
		Confirmed: m.confirmed.Load(), Nacked: m.nacked.Load(),
		Delivered: m.delivered.Load(), DeliveredBytes: m.deliveredBytes.Load(),
		Redelivered: m.redelivered.Load(), Acked: m.acked.Load(), Requeued: m.requeued.Load(),
		Got: m.got.Load(), GotEmpty: m.gotEmpty.Load(),
		Refusals: m.refusals.Load(), HeadersDropped: m.headersDropped.Load(),
		Blocked: m.blocked.Load(),
	}
}
