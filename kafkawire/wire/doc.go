// Package wire is the Kafka protocol as bytes: frames and request headers, the
// record batch (magic 2) with its compressions, and hand-written forms of the
// two requests that carry data, Produce and Fetch. All other messages come from
// kmsg. It does no I/O and keeps no state.
//
// A decoder never allocates for what a length claims, only for what is there:
// counts are checked against the bytes that are left before anything is made.
package wire
