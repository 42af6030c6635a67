package server

import (
	"trivium/admin"
	"trivium/amqp"
	"trivium/kafkawire"
	"trivium/natswire"
	"trivium/storage"
)

// collect gives the admin listener what all parts counted. docs/operations.md
// lists the names; a test compares.
func (s *Server) collect(emit func(admin.Metric)) {
	e := emitter{emit: emit}
	e.gauge("trivium_store_read_only", "1 after a failed write: nothing is stored until a restart.", flag(s.Err() != nil))
	storeMetrics(e, s.store.Metrics())
	for _, counted := range s.counted {
		counted(e)
	}
}

// emitter turns counters into metrics, of one door if door is not "".
type emitter struct {
	emit func(admin.Metric)
	door string
}

func (e emitter) gauge(name, help string, v int64) {
	e.emit(admin.Metric{Name: name, Help: help, Kind: admin.Gauge, Door: e.door, Value: float64(v)})
}

func (e emitter) counter(name, help string, v int64) {
	e.emit(admin.Metric{Name: name, Help: help, Kind: admin.Counter, Door: e.door, Value: float64(v)})
}

func flag(set bool) int64 {
	if set {
		return 1
	}
	return 0
}

func storeMetrics(e emitter, m storage.Metrics) {
	e.counter("trivium_journal_frames_total", "Frames written to the journal.", m.Frames)
	e.counter("trivium_journal_syncs_total", "Times the journal was synced to disk.", m.Syncs)
	e.counter("trivium_journal_transactions_total", "Transactions in those frames.", m.Transactions)
	e.gauge("trivium_journal_bytes", "Bytes that the journal's files take.", m.JournalBytes)
	e.gauge("trivium_journal_kept_bytes", "Bytes of journal files that stay as they are, because segments refer to them.", m.KeptBytes)
	e.gauge("trivium_journal_pending_bytes", "Bytes of the journal that have not settled.", m.JournalPending)
	e.counter("trivium_settled_bytes_total", "Bytes moved from the journal to where they stay.", m.SettledBytes)
	e.gauge("trivium_logs", "Logs: partitions, streams and queues.", m.Logs)
	e.gauge("trivium_segments", "Segment files.", m.Segments)
	e.gauge("trivium_disk_free_bytes", "Free space of the disk, -1 if it is not known.", m.FreeBytes)
	e.gauge("trivium_disk_min_free_bytes", "With less free than this, publishers wait or are refused.", m.MinFreeBytes)
	e.gauge("trivium_cache_bytes", "Memory that keeps recent entries at hand.", m.CacheBytes)
}

// traffic is what every door counts, except Kafka's messages: they come and go
// in batches that nobody opens.
type traffic struct {
	connections, opened                        int64
	inMessages, inBytes, outMessages, outBytes int64
}

func (e emitter) traffic(t traffic) {
	e.connections(t.connections, t.opened)
	e.bytes(t.inBytes, t.outBytes)
	e.counter("trivium_received_messages_total", "Messages that clients published.", t.inMessages)
	e.counter("trivium_sent_messages_total", "Messages sent to clients.", t.outMessages)
}

func (e emitter) connections(open, opened int64) {
	e.gauge("trivium_connections", "Open connections.", open)
	e.counter("trivium_connections_total", "Connections since the start.", opened)
}

func (e emitter) bytes(in, out int64) {
	e.counter("trivium_received_bytes_total", "Bytes of messages that clients published.", in)
	e.counter("trivium_sent_bytes_total", "Bytes of messages sent to clients.", out)
}

func amqpMetrics(e emitter, m amqp.Metrics) {
	e.door = AMQP
	e.traffic(traffic{
		m.ConnectionsOpened - m.ConnectionsClosed, m.ConnectionsOpened, m.Published, m.PublishedBytes, m.Delivered + m.Got, m.DeliveredBytes,
	})
	e.gauge("trivium_blocked_connections", "Publishing connections that wait for free space.", m.Blocked)
	e.gauge("trivium_channels", "Open channels.", m.ChannelsOpened-m.ChannelsClosed)
	e.counter("trivium_confirmed_messages_total", "Publishes answered with an ack.", m.Confirmed)
	e.counter("trivium_nacked_messages_total", "Publishes answered with a nack.", m.Nacked)
	e.counter("trivium_returned_messages_total", "Mandatory publishes without a destination.", m.Returned)
	e.counter("trivium_unroutable_messages_total", "Other publishes without a destination.", m.Dropped)
	e.counter("trivium_acknowledged_messages_total", "Deliveries that clients settled.", m.Acked)
	e.counter("trivium_requeued_messages_total", "Deliveries that went back to their queue.", m.Requeued)
	e.counter("trivium_redelivered_messages_total", "Deliveries of messages that had been delivered before.", m.Redelivered)
	e.counter("trivium_refusals_total", "Channels and connections closed with an error.", m.Refusals)
	e.counter("trivium_dropped_headers_total", "Headers of other doors' messages that this protocol cannot carry.", m.HeadersDropped)
}

func kafkaMetrics(e emitter, m kafkawire.Metrics) {
	e.door = Kafka
	e.traffic(traffic{m.Connections, m.ConnectionsOpened, m.Produced, m.ProducedBytes, m.Fetched, m.FetchedBytes})
	e.counter("trivium_requests_total", "Requests of clients.", m.Requests)
	e.counter("trivium_refusals_total", "Channels and connections closed with an error.", m.ProtocolErrors)
	e.counter("trivium_received_batches_total", "Record batches that producers sent.", m.Batches)
	e.counter("trivium_refused_batches_total", "Record batches answered with an error.", m.RefusedBatches)
	e.counter("trivium_translated_entries_total", "Entries of other doors read through this one.", m.Translated)
	e.gauge("trivium_fetch_sessions", "Fetch sessions.", m.Sessions)
	e.gauge("trivium_consumer_groups", "Consumer groups.", m.Groups)
}

func natsMetrics(e emitter, m natswire.Metrics) {
	e.door = NATS
	e.traffic(traffic{m.Connections, m.TotalConnections, m.InMsgs, m.InBytes, m.OutMsgs, m.OutBytes})
	e.gauge("trivium_subscriptions", "Subscriptions of clients.", m.Subscriptions)
	e.gauge("trivium_pending_bytes", "Bytes that wait for clients' sockets.", m.PendingBytes)
	e.counter("trivium_slow_consumers_total", "Connections closed because they read too slowly.", m.SlowConsumers)
	e.counter("trivium_stale_connections_total", "Connections closed because they answered no ping.", m.StaleConnections)
	e.counter("trivium_stalled_producers_total", "Waits of publishers for receivers that are behind.", m.StalledProducers)
	e.counter("trivium_refused_messages_total", "Publishes that a bound queue or stream did not take.", m.Refused)
	e.counter("trivium_unkept_messages_total", "The server's own messages that streams should have stored, but there were too many.", m.Unkept)
	e.counter("trivium_dropped_headers_total", "Headers of other doors' messages that this protocol cannot carry.", m.HeadersDropped)
}
