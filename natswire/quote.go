package natswire

import "strconv"

// quote renders a subject as nats-server's %q does.
func quote(s []byte) string { return strconv.Quote(string(s)) }
