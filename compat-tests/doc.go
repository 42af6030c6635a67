// Package compat holds what other people's clients see of a running server. It
// imports nothing of the project: it builds the real binary once per run, starts
// it on free loopback ports with a directory of its own, and talks to it as
// strangers do.
//
//   - scenario_NN_*_test.go: what the product must carry, each a story told with
//     the original system's own Go client, its guarantees asserted by name.
//   - crash_*_test.go: kill -9 under load, on all three protocols at once.
//   - hostile_*_test.go: what is no client at all.
//   - clients/ and clients_test.go (build tag "clients"): command line tools,
//     Python and Java clients. They must be installed; .ci/run does that.
//
// The scenarios can be held against the originals too: give their addresses with
// -peer-amqp, -peer-kafka and -peer-nats.
package compat
