package server

import "trivium/admin"

// collect gives the admin listener what all parts counted. docs/operations.md
// lists the names; a test compares.
func (s *Server) collect(emit func(admin.Metric)) {
	gauge := func(name, help string, v int64) {
		emit(admin.Metric{Name: name, Help: help, Kind: admin.Gauge, Value: float64(v)})
	}
	counter := func(name, help string, v int64) {
		emit(admin.Metric{Name: name, Help: help, Kind: admin.Counter, Value: float64(v)})
	}
	var readOnly int64
	if s.Err() != nil {
		readOnly = 1
	}
	gauge("trivium_store_read_only", "1 after a failed write: nothing is stored until a restart.", readOnly)
	m := s.store.Metrics()
	counter("trivium_journal_frames_total", "Frames written to the journal.", m.Frames)
	counter("trivium_journal_syncs_total", "Times the journal was synced to disk.", m.Syncs)
	counter("trivium_journal_transactions_total", "Transactions in those frames.", m.Transactions)
	counter("trivium_journal_bytes_total", "Bytes written to the journal.", m.JournalBytes)
	gauge("trivium_journal_pending_bytes", "Bytes of the journal that have not settled.", m.JournalPending)
	counter("trivium_settled_bytes_total", "Bytes moved from the journal to where they stay.", m.SettledBytes)
	gauge("trivium_logs", "Logs: partitions, streams and queues.", m.Logs)
	gauge("trivium_segments", "Segment files.", m.Segments)
	gauge("trivium_cache_bytes", "Memory that keeps recent entries at hand.", m.CacheBytes)
}
