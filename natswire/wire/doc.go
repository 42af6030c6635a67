// Package wire is the codec of the NATS client protocol: bytes in, operations
// out, and back. It does no I/O and keeps no state between calls.
//
// Parse cuts one operation off the front of a read buffer without copying: the
// slices of an Op and of a Msg alias the buffer and are valid as long as it is
// not reused. What is incomplete stays in the buffer until more was read.
//
// A header block is kept as the bytes that the publisher sent; Header looks
// fields up in it, case-sensitively, and never rewrites it.
package wire
