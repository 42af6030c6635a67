package natswire

// The texts of -ERR. Clients compare them, so they are nats-server's.
const (
	errAuthViolation  = "Authorization Violation"
	errAuthTimeout    = "Authentication Timeout"
	errStale          = "Stale Connection"
	errMaxConnections = "maximum connections exceeded"
	errMaxSubs        = "maximum subscriptions exceeded"
	errBadProtocol    = "invalid client protocol"
	errNoResponders   = "no responders requires headers support"
	errBadSubject     = "Invalid Subject"
	errBadPublish     = "Invalid Publish Subject"
)

// Reason says why a connection was closed, in nats-server's words.
type Reason string

// The reasons.
const (
	ClientClosed          Reason = "Client Closed"
	AuthenticationTimeout Reason = "Authentication Timeout"
	AuthenticationFailure Reason = "Authentication Failure"
	SlowConsumerPending   Reason = "Slow Consumer (Pending Bytes)"
	SlowConsumerWrite     Reason = "Slow Consumer (Write Deadline)"
	WriteError            Reason = "Write Error"
	ReadError             Reason = "Read Error"
	ParseError            Reason = "Parse Error"
	StaleConnection       Reason = "Stale Connection"
	MaxPayloadExceeded    Reason = "Maximum Message Payload Exceeded"
	MaxControlLine        Reason = "Maximum Control Line Exceeded"
	MaxConnectionsReached Reason = "Maximum Connections Exceeded"
	BadProtocolVersion    Reason = "Bad Client Protocol Version"
	NoRespondersHeaders   Reason = "No Responders Requires Headers"
	ServerShutdown        Reason = "Server Shutdown"
)

// abrupt reasons close the socket at once: what is pending could not be sent anyway.
func (r Reason) abrupt() bool {
	switch r {
	case SlowConsumerPending, SlowConsumerWrite, WriteError, ReadError, ClientClosed:
		return true
	}
	return false
}
