package jetstream

import "github.com/nats-io/nats-server/v2/server"

// accountInfo answers $JS.API.INFO (nats-server 2.15.2, jsAccountInfoRequest).
func accountInfo(r *request, res *server.ApiResponse) response {
	if res.Error != nil {
		return &server.JSApiAccountInfoResponse{ApiResponse: *res}
	}
	a := r.a
	stats := &server.JetStreamAccountStats{
		API: server.JetStreamAPIStats{Level: server.JSApiLevel, Total: a.api.Load(), Errors: a.apiErrors.Load()},
	}
	stats.Limits = server.JetStreamAccountLimits{
		MaxMemory: -1, MaxStore: -1, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1,
		MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}
	a.mu.RLock()
	stats.Streams, stats.Consumers = len(a.mu.streams), len(a.mu.consumers)
	for _, s := range a.mu.streams {
		c, bytes := s.config(), uint64(s.log.Bytes())
		if c.Storage == server.MemoryStorage {
			stats.Memory += bytes
			stats.ReservedMemory += uint64(max(c.MaxBytes, 0))
		} else {
			stats.Store += bytes
			stats.ReservedStore += uint64(max(c.MaxBytes, 0))
		}
	}
	a.mu.RUnlock()
	return &server.JSApiAccountInfoResponse{ApiResponse: *res, JetStreamAccountStats: stats}
}
