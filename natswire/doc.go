// Package natswire is the NATS door: the core protocol as nats-server 2.15
// speaks it. JetStream is in package jetstream below it, the codec in wire.
package natswire
