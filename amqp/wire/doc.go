// Package wire is the codec of AMQP 0-9-1 with RabbitMQ's extensions: bytes
// in, values out, no I/O.
//
// A frame on the wire:
//
//	0      1         3             7                 7+size  8+size
//	+------+---------+-------------+-------------------+-----------+
//	| type | channel | size        | payload           | 0xCE      |
//	+------+---------+-------------+-------------------+-----------+
//
// ParseFrame finds it in a buffer. A method frame's payload is the class and
// method id followed by the method's fields; ReadMethod makes a Method of it.
// The two that every message needs, basic.publish and basic.deliver, also have
// forms that allocate nothing (ParsePublish, AppendDeliver); a test holds them to
// the general ones.
//
// # Field tables
//
// A Table is the encoded bytes of a field table without its length. Nothing is
// decoded that nobody asks for, so what a client sent is what a client gets:
// every type, the order, duplicates. ValidTable checks one; Each, Lookup and the
// methods of Value read one; Str, Int and their like append to one.
//
// # Content
//
// Properties keeps its encoding likewise: Raw is the flags word and the property
// list as they were sent, the other fields are views of it.
package wire
