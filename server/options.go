package server

import (
	"fmt"
	"log/slog"

	"trivium/auth"
	"trivium/storage"
)

// Durability says when something counts as stored.
type Durability = storage.Durability

// The modes of durability.
const (
	Sync     = storage.Sync
	Interval = storage.Interval
	OS       = storage.OS
)

// DefaultMinFreeBytes is as much as the store may need while nothing is published.
const DefaultMinFreeBytes = storage.DefaultMinFreeBytes

// Options of a Server.
type Options struct {
	// Dir holds the data; it is made if it does not exist.
	Dir string
	// AMQP, Kafka, NATS and Admin are the addresses (host:port) to listen on:
	// port 0 takes any free one, "" leaves that listener off.
	AMQP, Kafka, NATS, Admin string
	Durability               Durability
	// MinFreeBytes is how much of the disk is to be free: with less, clients cannot publish until there is more.
	// 0 means DefaultMinFreeBytes, negative none.
	MinFreeBytes int64
	// Auth holds the users; nil means guest alone.
	Auth *auth.Store
	// Log gets what an operator should know; nil discards it.
	Log *slog.Logger
}

// The names of the listeners, as Addr and ListenError use them.
const (
	AMQP  = "amqp"
	Kafka = "kafka"
	NATS  = "nats"
	Admin = "admin"
)

// ListenError says that a listener could not be opened.
type ListenError struct {
	Listener, Addr string
	Err            error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("server: %s cannot listen on %q: %v", e.Listener, e.Addr, e.Err)
}

// Unwrap gives the reason.
func (e *ListenError) Unwrap() error { return e.Err }

// DirError says that the data directory could not be used.
type DirError struct {
	Dir string
	Err error
}

func (e *DirError) Error() string {
	return fmt.Sprintf("server: data directory %q: %v", e.Dir, e.Err)
}

// Unwrap gives the reason.
func (e *DirError) Unwrap() error { return e.Err }
