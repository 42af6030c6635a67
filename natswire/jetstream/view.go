package jetstream

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// view says how another door's stream appears: as the stream <REALM>_<name> with
// the subjects $<REALM>.<name>.> (for AMQP $AMQP.queue.<name>.>), a partition of
// several with its number appended to the name.
type view struct {
	partition int
	// prefix of the subjects, up to the key.
	prefix string
	keys   viewKeys
}

// subject is what a NATS reader sees as the subject of a message with that key.
func (v *view) subject(key []byte) []byte {
	out := append(make([]byte, 0, len(v.prefix)+len(key)+1), v.prefix...)
	if len(key) > 0 && core.LiteralSubject(string(key)) {
		return append(out, key...)
	}
	return append(out, noKey...)
}

// assetName replaces what a stream's name must not hold.
func assetName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n\f.*>\\/", r) {
			return '_'
		}
		return r
	}, name)
}

// viewName is the name that NATS knows a partition of another door's stream by.
func viewName(c *core.StreamConfig, partition int) string {
	name := strings.ToUpper(string(c.Realm)) + "_" + assetName(c.Name)
	if c.Partitions > 1 {
		name += "-" + strconv.Itoa(partition)
	}
	return name
}

// view returns a partition of another door's stream, nil if there is no such one.
func (a *account) view(cs *core.Stream, partition int) *stream {
	id := cs.ID()<<16 | uint64(partition)
	a.mu.RLock()
	s := a.mu.views[id]
	a.mu.RUnlock()
	if s != nil && s.core == cs {
		return s
	}
	log := cs.Log(partition)
	if log == nil {
		return nil
	}
	c := cs.Config()
	prefix := realmPrefix(c.Realm) + subjectPart(c.Name) + "."
	unlimited := func(n int64) int64 {
		if n <= 0 {
			return -1
		}
		return n
	}
	s = newStream(a, cs, server.StreamConfig{
		Name: viewName(&c, partition), Subjects: []string{prefix + ">"}, MaxConsumers: -1,
		MaxMsgs: unlimited(c.MaxMessages), MaxBytes: unlimited(c.MaxBytes), MaxAge: c.MaxAge,
		MaxMsgsPer: unlimited(c.MaxMessagesPerKey), MaxMsgSize: int32(min(unlimited(c.MaxMessageSize), 1<<31-1)),
		Storage: server.FileStorage, Replicas: 1, Duplicates: c.DedupWindow, AllowDirect: true,
		DenyDelete: true, DenyPurge: true,
	})
	s.log = log
	s.view = &view{partition: partition, prefix: prefix}
	a.mu.Lock()
	a.mu.views[id] = s
	a.mu.Unlock()
	return s
}

// realmPrefix begins the subjects of a realm's streams.
func realmPrefix(r core.Realm) string {
	p := "$" + strings.ToUpper(string(r)) + "."
	if r == "amqp" { // which has exchanges as well
		p += "queue."
	}
	return p
}

// noKey in place of a message's key stands for none.
const noKey = "_"

// Addressed finds the stream of another door that a publish to subject goes to, nil if there is
// none. What follows the stream's name, which may have dots, is the message's key.
func (e *Engine) Addressed(ns *core.Namespace, subject []byte) (cs *core.Stream, key []byte) {
	if len(subject) == 0 || subject[0] != '$' || !core.LiteralSubject(string(subject)) {
		return nil, nil
	}
	word, _, _ := bytes.Cut(subject[1:], []byte{'.'})
	realm := core.Realm(bytes.ToLower(word))
	rest, ok := bytes.CutPrefix(subject, []byte(realmPrefix(realm)))
	if !ok || realm == Realm {
		return nil, nil
	}
	for end := bytes.LastIndexByte(rest, '.'); end > 0; end = bytes.LastIndexByte(rest[:end], '.') {
		if cs = streamOf(ns, realm, string(rest[:end])); cs != nil {
			if key = rest[end+1:]; string(key) == noKey {
				key = nil
			}
			return cs, key
		}
	}
	return nil, nil
}

// streamOf finds another door's stream by the part of its subjects that stands for its name.
func streamOf(ns *core.Namespace, r core.Realm, part string) *core.Stream {
	cs := ns.Stream(r, part)
	if cs != nil && cs.Config().Internal {
		return nil
	}
	if cs != nil || !strings.Contains(part, "_") {
		return cs
	}
	ns.Streams(func(s *core.Stream) bool {
		if c := s.Config(); c.Realm == r && !c.Internal && subjectPart(c.Name) == part {
			cs = s
		}
		return cs == nil
	})
	return cs
}

// IngestInto takes a publish that Addressed found a stream for, under the same rules as
// Ingest.
func (e *Engine) IngestInto(tx *core.Tx, cs *core.Stream, key []byte, m *wire.Msg) {
	if s := e.account(cs.Namespace()).view(cs, cs.PartitionOf(key)); s != nil {
		e.ingest(tx, s, key, m)
	}
}

// subjectPart makes one legal subject part of a name: its dots stay words of their own.
func subjectPart(name string) string {
	if core.LiteralSubject(name) {
		return name
	}
	return assetName(name)
}

// viewNamed finds another door's stream by the name that NATS knows it by.
func (a *account) viewNamed(name string) *stream {
	realm, rest, ok := strings.Cut(name, "_")
	if !ok || rest == "" || realm != strings.ToUpper(realm) {
		return nil
	}
	var found *stream
	a.ns.Streams(func(cs *core.Stream) bool {
		c := cs.Config()
		if c.Realm == Realm || c.Internal || strings.ToUpper(string(c.Realm)) != realm || !strings.HasPrefix(rest, assetName(c.Name)) {
			return true
		}
		for p := range max(c.Partitions, 1) {
			if viewName(&c, p) == name {
				found = a.view(cs, p)
				return false
			}
		}
		return true
	})
	return found
}

// allViews lists what the other doors made and NATS does not hide behind a stream of its own.
func (a *account) allViews() []*stream {
	var all []*stream
	a.ns.Streams(func(cs *core.Stream) bool {
		c := cs.Config()
		if c.Realm == Realm || c.Internal {
			return true
		}
		for p := range max(c.Partitions, 1) {
			s := a.view(cs, p)
			if s == nil {
				continue
			}
			a.mu.RLock()
			_, hidden := a.mu.streams[s.name]
			a.mu.RUnlock()
			if !hidden {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}
