package natswire

import (
	"log/slog"
	"time"

	"trivium/auth"
	"trivium/core"
)

// Realm is the name space of what NATS clients make.
const Realm core.Realm = "nats"

// Format is the format of the entries that this door writes.
const Format core.Format = 3

// The version that is announced to clients: the nats-server whose behaviour this is, and its
// JetStream API level.
const (
	Version  = "2.15.2"
	APILevel = 5
)

// The limits of nats-server's default configuration.
const (
	DefaultMaxPayload     = 1 << 20
	DefaultMaxControlLine = 4096
	DefaultMaxPending     = 64 << 20
	DefaultMaxConnections = 64 << 10
	DefaultPingInterval   = 2 * time.Minute
	DefaultMaxPingsOut    = 2
	DefaultWriteDeadline  = 10 * time.Second
	DefaultAuthTimeout    = 2 * time.Second
	DefaultLameDuckGrace  = 10 * time.Second
	DefaultLameDuck       = 2 * time.Minute
)

// Options of a Server. The zero value of a limit means its default.
type Options struct {
	Broker *core.Broker
	// Auth knows the users; nil means that there are none.
	Auth *auth.Store
	// RequireAuth refuses connections without a user. Otherwise they are
	// anonymous, in the default account, as in a nats-server without users.
	RequireAuth bool
	Log         *slog.Logger
	// Name is the server's name; its id if empty.
	Name string
	// NoJetStream turns JetStream off.
	NoJetStream bool

	// MaxPayload bounds the header block and payload of a message.
	MaxPayload     int
	MaxControlLine int
	// MaxPending bounds the bytes that wait for one connection's socket: who has
	// more is a slow consumer and is closed.
	MaxPending     int
	MaxConnections int
	// MaxSubscriptions of one connection; 0 means no bound.
	MaxSubscriptions int
	PingInterval     time.Duration
	MaxPingsOut      int
	// WriteDeadline is how long one write may take before the connection is a slow
	// consumer.
	WriteDeadline time.Duration
	AuthTimeout   time.Duration
	// LameDuckGrace is how long LameDuck waits before it closes the first
	// connection, LameDuckDuration how long all of it takes.
	LameDuckGrace, LameDuckDuration time.Duration
}

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.MaxPayload, DefaultMaxPayload)
	setDefault(&o.MaxControlLine, DefaultMaxControlLine)
	setDefault(&o.MaxPending, DefaultMaxPending)
	setDefault(&o.MaxConnections, DefaultMaxConnections)
	setDefault(&o.PingInterval, DefaultPingInterval)
	setDefault(&o.MaxPingsOut, DefaultMaxPingsOut)
	setDefault(&o.WriteDeadline, DefaultWriteDeadline)
	setDefault(&o.AuthTimeout, DefaultAuthTimeout)
	setDefault(&o.LameDuckGrace, DefaultLameDuckGrace)
	setDefault(&o.LameDuckDuration, DefaultLameDuck)
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}
