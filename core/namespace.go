package core

// DefaultNamespace is the name of the namespace that always exists.
const DefaultNamespace = "default"

// Namespace isolates a tenant: names, routing and data are its own.
type Namespace struct{}

func (ns *Namespace) Name() string { panic("core: Name") }

// Doc, Docs and the Tx's SetDoc keep a door's own small documents (a topic's
// settings, a user's view of a consumer) durable with everything else. Docs
// calls f in key order for the keys with the prefix until f returns false. A
// nil value removes. Reads see durable documents only.
func (ns *Namespace) Doc(r Realm, key string) ([]byte, error) { panic("core: Doc") }
func (ns *Namespace) Docs(r Realm, prefix string, f func(key string, value []byte) bool) error {
	panic("core: Docs")
}
func (tx *Tx) SetDoc(ns *Namespace, r Realm, key string, value []byte) { panic("core: SetDoc") }
