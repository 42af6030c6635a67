// Package admin is the HTTP listener: health, readiness, metrics, and under /v1 the
// operations of "trivium ctl", for users who log in. It asks for what it shows
// through its Options when a request comes, and keeps no state of its own.
package admin
