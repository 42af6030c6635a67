package natswire

// Server is the NATS door.
type Server struct{}
