//go:build race

package amqp

// racing says that the race detector is on: memory costs a multiple then.
const racing = true
