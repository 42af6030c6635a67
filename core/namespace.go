package core

// DefaultNamespace is the name of the namespace that always exists.
const DefaultNamespace = "default"

// Namespace isolates a tenant: names, routing and data are its own.
type Namespace struct {
	b    *Broker
	id   uint64
	name string
	// objects are the streams and queues.
	objects objects
}

func newNamespace(b *Broker, id uint64, name string) *Namespace {
	return &Namespace{b: b, id: id, name: name}
}

// created adds what every namespace has from the start.
func (ns *Namespace) created(tx *Tx) {}

// loadTopology loads exchanges, bindings and groups. Namespaces, streams, queues and
// their cursors are there already.
func (b *Broker) loadTopology() error { return nil }

// queueGone removes the bindings of a queue that is being deleted, streamGone those of a
// stream.
func (ns *Namespace) queueGone(tx *Tx, q *Queue)   {}
func (ns *Namespace) streamGone(tx *Tx, s *Stream) {}

func (ns *Namespace) Name() string { return ns.name }

// Doc, Docs and the Tx's SetDoc keep a door's own small documents (a topic's
// settings, a user's view of a consumer) durable with everything else. Docs
// calls f in key order for the keys with the prefix until f returns false. A
// nil value removes. Reads see durable documents only.
func (ns *Namespace) Doc(r Realm, key string) ([]byte, error) { panic("core: Doc") }
func (ns *Namespace) Docs(r Realm, prefix string, f func(key string, value []byte) bool) error {
	panic("core: Docs")
}
func (tx *Tx) SetDoc(ns *Namespace, r Realm, key string, value []byte) { panic("core: SetDoc") }
