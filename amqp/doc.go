// Package amqp is not written yet.
package amqp
