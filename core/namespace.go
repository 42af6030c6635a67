package core

import (
	"fmt"
	"sync/atomic"

	"trivium/internal/hamt"
)

// DefaultNamespace is the name of the namespace that always exists.
const DefaultNamespace = "default"

// Namespace isolates a tenant: names, routing and data are its own.
type Namespace struct {
	b    *Broker
	id   uint64
	name string
	// objects are the streams and queues.
	objects  objects
	subjects *Subjects

	// Replaced, never changed, by whoever holds the sequencer.
	exchanges atomic.Pointer[hamt.Map[string, *Exchange]]
	groups    atomic.Pointer[hamt.Map[name, *Offsets]]
	exposed   atomic.Pointer[exposedNames]

	// edit is of the maps that nobody reads without the sequencer.
	edit *hamt.Edit
	// loading is of all other maps until loadTopology has ended: nobody reads them yet.
	// Later it is nil.
	loading *hamt.Edit
}

func newNamespace(b *Broker, id uint64, n string) *Namespace {
	ns := &Namespace{
		b: b, id: id, name: n,
		subjects: newSubjects(),
		edit:     new(hamt.Edit),
	}
	ns.exchanges.Store(&hamt.Map[string, *Exchange]{})
	ns.groups.Store(&hamt.Map[name, *Offsets]{})
	ns.exposed.Store(&exposedNames{})
	for _, c := range predeclared {
		ns.newExchange(c)
	}
	return ns
}

// loadTopology loads exchanges, bindings and groups. Namespaces, streams, queues and
// their cursors are there already.
func (b *Broker) loadTopology() error {
	defer func() {
		for _, ns := range *b.namespaces.Load() {
			ns.loading = nil
		}
	}()
	err := b.scanNamespaces(keyExchange, func(ns *Namespace, rest, v []byte) error {
		c, owner, ok := decodeExchange(string(rest), v)
		if !ok {
			return fmt.Errorf("exchange %q in %q", rest, ns.name)
		}
		if x := ns.newExchange(c); x.known != nil {
			b.register(x.known, owner)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = b.scanNamespaces(keyBinding, func(ns *Namespace, rest, v []byte) error {
		return ns.loadBinding(bindingID(rest), v)
	})
	if err != nil {
		return err
	}
	err = b.scanNamespaces(keyExposed, func(ns *Namespace, rest, v []byte) error {
		return ns.loadExposed(rest, v)
	})
	if err != nil {
		return err
	}
	return b.scanNamespaces(keyOffsets, func(ns *Namespace, rest, v []byte) error {
		return ns.loadOffsets(rest, v)
	})
}

// scanNamespaces calls f for each key with the prefix, with what follows the namespace in it.
func (b *Broker) scanNamespaces(prefix byte, f func(ns *Namespace, rest, v []byte) error) error {
	return b.scan([]byte{prefix}, func(k, v []byte) error {
		var id uint64
		rest, ok := keyIDs(k, &id)
		ns := b.namespaceByID(id)
		if !ok || ns == nil {
			return fmt.Errorf("key %x of no namespace", k)
		}
		return f(ns, rest, v)
	})
}

// Name returns the namespace's name.
func (ns *Namespace) Name() string { return ns.name }

// Doc, Docs and the Tx's SetDoc keep a door's own small documents (a topic's
// settings, a user's view of a consumer) durable with everything else. Docs
// calls f in key order for the keys with the prefix until f returns false. A
// nil value removes. Reads see durable documents only; what f gets is valid during the call.
func (ns *Namespace) Doc(r Realm, key string) ([]byte, error) {
	v, err := ns.b.store.Get(ns.docKey(r, key))
	if err != nil {
		return nil, fmt.Errorf("core: read document %s/%s: %w", r, key, err)
	}
	return v, nil
}

func (ns *Namespace) Docs(r Realm, prefix string, f func(key string, value []byte) bool) error {
	skip := len(ns.docKey(r, ""))
	err := ns.b.store.Scan(ns.docKey(r, prefix), func(k, v []byte) bool { return f(string(k[skip:]), v) })
	if err != nil {
		return fmt.Errorf("core: read documents %s/%s: %w", r, prefix, err)
	}
	return nil
}

func (tx *Tx) SetDoc(ns *Namespace, r Realm, key string, value []byte) {
	if value == nil {
		tx.Unset(ns.docKey(r, key))
		return
	}
	tx.Set(ns.docKey(r, key), value)
}

func (ns *Namespace) docKey(r Realm, k string) []byte {
	b := append(key(keyDoc, ns.id), r...)
	b = append(b, 0)
	return append(b, k...)
}
