package amqp

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"trivium/amqp/wire"
	"trivium/core"
)

// generated makes a name nobody has.
func generated(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// strip removes line ends from a name, as RabbitMQ does.
func strip(name string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(name) }

// reserved refuses to make something with a name that is not the client's to give.
func reserved(kind, name string) error {
	if strings.HasPrefix(name, systemPrefix) {
		return refuse(codeAccessRefused, "%s name '%s' contains reserved prefix 'amq.*'", kind, name)
	}
	return nil
}

// typeNames are the field types' names in RabbitMQ's texts.
var typeNames = map[byte]string{
	wire.TypeBool: "bool", wire.TypeInt8: "byte", wire.TypeUint8: "unsignedbyte", wire.TypeInt16: "short", wire.TypeUint16: "unsignedshort",
	wire.TypeInt32: "signedint", wire.TypeUint32: "unsignedint", wire.TypeInt64: "long", wire.TypeInt64L: "long", wire.TypeFloat: "float",
	wire.TypeDouble: "double", wire.TypeDecimal: "decimal", wire.TypeString: "longstr", wire.TypeBytes: "binary", wire.TypeArray: "array",
	wire.TypeTable: "table", wire.TypeTime: "timestamp", wire.TypeVoid: "void",
}

func typeName(t byte) string { return typeNames[t] }

// valueText shows a value in an error.
func valueText(v wire.Value) string { return string(headerText(v)) }

// sameValue compares two values of arguments: of one class of types, and equal.
func sameValue(a, b wire.Value) bool {
	if (a.Type == wire.TypeTable || a.Type == wire.TypeArray) && a.Type == b.Type {
		return string(a.Raw) == string(b.Raw)
	}
	return string(canonical(nil, a, canonNested)) == string(canonical(nil, b, canonNever))
}

// target is a queue or a stream queue.
type target struct {
	queue     *core.Queue
	stream    *core.Stream
	partition int
}

func (t target) missing() bool { return t.queue == nil && t.stream == nil }

// find looks a queue up by name.
func (c *conn) find(name string) target {
	if q := c.ns.Queue(Realm, name); q != nil {
		return target{queue: q}
	}
	s, part := c.stream(name)
	return target{stream: s, partition: part}
}

// queueNamed finds a queue that the client may use, or says why not.
func (ch *channel) queueNamed(name string) (target, error) {
	c := ch.c
	t := c.find(name)
	if t.missing() {
		return t, refuse(codeNotFound, "no %s", queueIn(name, c.vhost))
	}
	if t.queue != nil {
		if owner := t.queue.Config().Owner; owner != "" && owner != c.id {
			return t, c.locked(name)
		}
	}
	return t, nil
}

func (c *conn) locked(name string) error {
	return refuse(codeResourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", queueIn(name, c.vhost))
}

// lastQueue replaces an empty name by the last queue that was declared on the channel.
func (ch *channel) lastQueue(name string) (string, error) {
	if name == "" {
		name = ch.queue
	}
	if name == "" {
		return "", refuse(codeNotFound, "no previously declared queue")
	}
	return name, nil
}

// CheckName says why another door's stream cannot be shown under this name.
func CheckName(name string) error {
	if name == "" || len(name) > maxShort || !utf8.ValidString(name) || strings.HasPrefix(name, systemPrefix) || strip(name) != name {
		return fmt.Errorf("a queue's name is text of at most %d bytes without line ends, and does not begin with '%s'", maxShort, systemPrefix)
	}
	return nil
}
