package jetstream

import (
	"context"
	"log/slog"

	"trivium/core"
)

// Options of an Engine.
type Options struct {
	Broker *core.Broker
	Log    *slog.Logger
	// ServerName and ServerID appear in advisories.
	ServerName, ServerID string
}

// Engine is JetStream for all namespaces of one Broker.
type Engine struct{}

// New loads the streams and consumers that the Broker holds and starts serving them.
func New(o Options) (*Engine, error) { panic("jetstream: New") }

// Shutdown ends deliveries, answers what is waiting, and stops the engine's goroutines.
// It must come before the connections are closed and the Broker is.
func (e *Engine) Shutdown(ctx context.Context) error { panic("jetstream: Shutdown") }

// Subscribed and Unsubscribed tell that interest in subject (a pattern) came or may have gone, so
// that push consumers start and stop. They are cheap when there is no push consumer.
func (e *Engine) Subscribed(ns *core.Namespace, subject string)   { panic("jetstream: Subscribed") }
func (e *Engine) Unsubscribed(ns *core.Namespace, subject string) { panic("jetstream: Unsubscribed") }
