package jetstream

import (
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// view says how another door's stream appears: as the stream <REALM>_<name> with
// the subjects $<REALM>.<name>.> (for AMQP $AMQP.queue.<name>.>), a partition of
// several with its number appended to the name.
type view struct {
	partition int
	// prefix of the subjects, up to the key.
	prefix string
}

// subject is what a NATS reader sees as the subject of a message with that key.
func (v *view) subject(key []byte) []byte {
	out := append(make([]byte, 0, len(v.prefix)+len(key)+1), v.prefix...)
	if len(key) > 0 && core.LiteralSubject(string(key)) {
		return append(out, key...)
	}
	return append(out, '_')
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
	realm := strings.ToUpper(string(c.Realm))
	prefix := "$" + realm + "." + subjectPart(c.Name) + "."
	if realm == "AMQP" {
		prefix = "$AMQP.queue." + subjectPart(c.Name) + "."
	}
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
		if c.Realm == Realm || strings.ToUpper(string(c.Realm)) != realm || !strings.HasPrefix(rest, assetName(c.Name)) {
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
		if c.Realm == Realm {
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
