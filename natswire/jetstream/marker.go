package jetstream

import (
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// markerTTL is how long a subject delete marker stays, in whole seconds; 0 = there are none.
func markerTTL(cfg *server.StreamConfig) int64 {
	return int64(cfg.SubjectDeleteMarkerTTL / time.Second)
}

// Expired implements core.StreamEvents: in place of the last message of a subject it leaves
// a marker that says so, unless it was one itself (nats-server 2.15.2, filestore.go
// expireMsgs).
func (s *stream) Expired(tx *core.Tx, e *core.Entry, o core.Offset) {
	cfg := s.config()
	ttl := markerTTL(cfg)
	if ttl == 0 {
		return
	}
	var old wire.Msg
	if _, err := s.read(e, o, &old, nil); err != nil || isMarker(old.Header) {
		return
	}
	h := wire.AppendHeader(nil, "", "")
	h = wire.AppendField(h, server.JSMarkerReason, []byte(server.JSMarkerReasonMaxAge))
	h = wire.AppendField(h, server.JSMessageTTL, []byte((time.Duration(ttl) * time.Second).String()))
	h = wire.AppendField(h, server.JSMsgRollup, []byte(server.JSMsgRollupSubject))
	m := wire.Msg{Subject: old.Subject, Header: wire.EndHeader(h)}
	eng := s.a.e
	eng.commit(tx, s.a)
	if _, _, refused := s.append(tx, cfg, old.Subject, &m); refused != nil {
		eng.log.Warn("no delete marker is left", "stream", s.name, "subject", string(old.Subject), "err", refused)
	}
	eng.End(tx)
}

// isMarker reports whether a message with that header says by itself that its subject was deleted.
func isMarker(h wire.Header) bool {
	return len(h.Get(server.JSMarkerReason)) > 0 || string(h.Get(server.KVOperation)) == string(server.KVOperationValuePurge)
}

// outliveMarkers lets a message with a TTL live as long as a marker: else one that is there
// already would outlive it and hide that it expired. With one message per subject there is
// no other one.
func outliveMarkers(cfg *server.StreamConfig, m *wire.Msg) *wire.Msg {
	least := markerTTL(cfg)
	if least == 0 || cfg.MaxMsgsPer == 1 || len(m.Header) == 0 {
		return m
	}
	if ttl, ok := parseTTL(m.Header.Get(server.JSMessageTTL)); !ok || ttl <= 0 || ttl >= least {
		return m
	}
	longer := *m
	longer.Header = m.Header.Without(func(name []byte) bool { return string(name) == server.JSMessageTTL }).
		Set(server.JSMessageTTL, strconv.AppendInt(nil, least, 10))
	return &longer
}
