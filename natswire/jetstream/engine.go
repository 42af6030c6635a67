package jetstream

import (
	"context"
	"log/slog"

	"trivium/core"
	"trivium/natswire/wire"
)

// Options of an Engine.
type Options struct {
	Broker *core.Broker
	Log    *slog.Logger
	// Sender makes a new Sender for a namespace.
	Sender func(ns *core.Namespace) Sender
	// ServerName and ServerID appear in advisories.
	ServerName, ServerID string
}

// Engine is JetStream for all namespaces of one Broker.
type Engine struct{}

// New loads the streams and consumers that the Broker holds and starts serving them.
func New(o Options) (*Engine, error) { panic("jetstream: New") }

// Shutdown ends deliveries, answers what is waiting, and stops the engine's goroutines.
// It must come before the connections and the Broker are closed.
func (e *Engine) Shutdown(ctx context.Context) error { panic("jetstream: Shutdown") }

// Ingest, Ack and End: see natswire.JetStream.
func (e *Engine) Ingest(tx *core.Tx, s *core.Stream, m *wire.Msg)  { panic("jetstream: Ingest") }
func (e *Engine) Ack(tx *core.Tx, ns *core.Namespace, m *wire.Msg) { panic("jetstream: Ack") }
func (e *Engine) End(tx *core.Tx)                                  { panic("jetstream: End") }

// Request: see natswire.JetStream.
func (e *Engine) Request(ns *core.Namespace, c *Client, m *wire.Msg) bool {
	panic("jetstream: Request")
}

// Interest: see natswire.JetStream.
func (e *Engine) Interest(ns *core.Namespace, subject []byte, gone bool) {
	panic("jetstream: Interest")
}
