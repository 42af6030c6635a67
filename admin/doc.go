// Package admin is the HTTP listener: health, readiness and metrics. It asks
// for what it shows through the functions in its Options when a request comes,
// and keeps no state of its own.
package admin
