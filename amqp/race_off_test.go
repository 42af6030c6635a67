//go:build !race

package amqp

const racing = false
