// Package server assembles the whole: it opens the store, starts core above it
// and the doors above core, and takes them down in the opposite order. Command
// trivium wraps it in flags; a Go test embeds it as it is (see servertest).
//
// # Start
//
// All listeners are opened first, so that a port that is taken costs nothing;
// then the store recovers, core loads, and the doors begin to accept. What
// connected in between waits in the listener's backlog.
//
// # Stop
//
// Readiness turns false, the doors shut down together (each sends its
// protocol's goodbye and waits for its connections), then the admin listener,
// so that health can be asked while connections end, then core, then the store,
// which checkpoints.
package server
