package kafkawire

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"trivium/core"
	"trivium/kafkawire/wire"
)

// topicID is a topic's identity on the wire; zero means none.
type topicID = [16]byte

// topicDoc is what a topic keeps with its stream.
type topicDoc struct {
	ID       topicID           `json:"id"`
	Internal bool              `json:"internal,omitempty"`
	Configs  map[string]string `json:"configs,omitempty"`
}

func (d *topicDoc) encode() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic("kafka: topic document: " + err.Error()) // plain data
	}
	return b
}

// topic is one stream as Kafka clients see it. It is immutable: a change of its
// configuration makes a new one.
type topic struct {
	name     string
	realm    core.Realm
	source   string // the stream's own name
	id       topicID
	stream   *core.Stream
	own      bool // made by a Kafka client
	exposed  bool // a second name of another door's stream
	internal bool
	configs  map[string]string // explicit ones
	settings settings
	from     viewSource // of a view
}

// settings are the parsed configs that have an effect here.
type settings struct {
	maxMessageBytes     int
	compact             bool
	appendTime          bool
	beforeMax, afterMax int64 // ms
	// recompress: batches are stored with this codec, whatever the producer used.
	recompress bool
	codec      wire.Codec
	level      int
	// keyed: a record's key is a subject that the stream must capture, and every
	// record an entry of its own.
	keyed bool
	dedup bool
}

// log returns a partition, or nil.
func (t *topic) log(partition int32) *core.Log {
	if partition < 0 || int(partition) >= t.stream.Partitions() {
		return nil
	}
	return t.stream.Log(int(partition))
}

// registry resolves names and ids to topics.
type registry struct {
	ns  *core.Namespace
	log *slog.Logger

	mu struct {
		sync.RWMutex
		byStream map[*core.Stream]*topic
		byID     map[topicID]*topic
		byName   map[string]*topic
		exposed  map[string]*topic // by name
		shadowed map[string]bool   // names of views that own topics hide, once told
	}
}

func newRegistry(ns *core.Namespace, log *slog.Logger) *registry {
	r := &registry{ns: ns, log: log}
	r.mu.byStream = make(map[*core.Stream]*topic)
	r.mu.byID = make(map[topicID]*topic)
	r.mu.byName = make(map[string]*topic)
	r.mu.exposed = make(map[string]*topic)
	r.mu.shadowed = make(map[string]bool)
	r.each(func(*topic) bool { return true })
	return r
}

// byName returns the topic, or nil.
func (r *registry) byName(name string) *topic {
	if s := r.ns.Stream(Realm, name); s != nil {
		return r.of(s)
	}
	if s := r.ns.Exposed(Realm, name); s != nil {
		return r.exposed(name, s)
	}
	return r.view(name)
}

// byNameBytes is byName for a name that is not kept, without allocating where
// the topic is known.
func (r *registry) byNameBytes(name []byte) *topic {
	r.mu.RLock()
	t := r.mu.byName[string(name)]
	r.mu.RUnlock()
	if t != nil && t.own && r.current(t) {
		return t
	}
	return r.byName(string(name))
}

// byID returns the topic, or nil.
func (r *registry) byID(id topicID) *topic {
	r.mu.RLock()
	t := r.mu.byID[id]
	r.mu.RUnlock()
	if t != nil && r.current(t) {
		if t.exposed {
			return r.exposed(t.name, t.stream)
		}
		return r.of(t.stream)
	}
	if t != nil {
		r.forget(t)
	}
	// Another door may have made its stream since.
	t = nil
	r.each(func(o *topic) bool {
		if o.id == id {
			t = o
		}
		return t == nil
	})
	return t
}

// current reports whether t's stream still exists.
func (r *registry) current(t *topic) bool {
	if t.exposed {
		return r.ns.Exposed(Realm, t.name) == t.stream
	}
	return r.ns.Stream(t.realm, t.source) == t.stream
}

// each calls f for every topic in order of name within a realm, exposed ones last, until it
// returns false.
func (r *registry) each(f func(t *topic) bool) {
	more := true
	r.ns.Streams(func(s *core.Stream) bool {
		t := r.of(s)
		if !t.own && (s.Config().Internal || r.shadow(t.name)) {
			return true
		}
		more = f(t)
		return more
	})
	for _, x := range r.ns.AllExposed() {
		if more && x.Realm == Realm {
			more = f(r.exposed(x.Name, x.Stream))
		}
	}
}

// shadow reports whether a topic that a Kafka client made hides a view.
func (r *registry) shadow(name string) bool {
	if r.ns.Stream(Realm, name) == nil {
		return false
	}
	r.mu.Lock()
	told := r.mu.shadowed[name]
	r.mu.shadowed[name] = true
	r.mu.Unlock()
	if !told {
		r.log.Warn("kafka: a topic hides another door's stream", "topic", name)
	}
	return true
}

// of returns the topic of a stream.
func (r *registry) of(s *core.Stream) *topic {
	r.mu.RLock()
	t := r.mu.byStream[s]
	r.mu.RUnlock()
	if t == nil || !t.own && t.from != sourceOf(s.Config()) {
		return r.put(s)
	}
	return t
}

// exposed is a stream under a second name: a topic of its own, which regular expressions pick up like any other.
func (r *registry) exposed(name string, s *core.Stream) *topic {
	view := r.of(s)
	r.mu.RLock()
	t := r.mu.exposed[name]
	r.mu.RUnlock()
	if t != nil && t.stream == s && t.from == view.from {
		return t
	}
	c := *view
	c.name, c.id, c.internal, c.exposed = name, exposedID(view.id, name), false, true
	r.mu.Lock()
	r.mu.exposed[name], r.mu.byID[c.id] = &c, &c
	r.mu.Unlock()
	return &c
}

// put reads a stream's configuration, at first or after a change.
func (r *registry) put(s *core.Stream) *topic {
	c := s.Config()
	t := &topic{name: c.Name, realm: c.Realm, source: c.Name, stream: s, own: c.Realm == Realm}
	if t.own {
		var d topicDoc
		if err := json.Unmarshal(c.Doc, &d); err != nil {
			r.log.Error("kafka: topic document unreadable", "topic", c.Name, "err", err)
			d.ID = derivedID(s, &c)
		}
		t.id, t.internal, t.configs = d.ID, d.Internal, d.Configs
		t.settings = parseSettings(d.Configs)
	} else {
		t.name, t.id, t.internal = viewName(c.Realm, c.Name), derivedID(s, &c), true
		t.configs = viewConfigs(&c)
		t.settings = parseSettings(t.configs)
		t.settings.compact = false // its own door decides what a key may be
		t.settings.keyed, t.settings.dedup = c.KeyIndex, c.DedupWindow > 0
		t.from = sourceOf(c)
	}
	r.mu.Lock()
	r.mu.byStream[s] = t
	r.mu.byID[t.id] = t
	r.mu.byName[t.name] = t
	r.mu.Unlock()
	return t
}

// forget drops what is known of a topic that is gone.
func (r *registry) forget(gone *topic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if gone.exposed {
		delete(r.mu.exposed, gone.name)
		delete(r.mu.byID, gone.id)
		return
	}
	if t := r.mu.byStream[gone.stream]; t != nil {
		delete(r.mu.byStream, gone.stream)
		delete(r.mu.byID, t.id)
		if r.mu.byName[t.name] == t {
			delete(r.mu.byName, t.name)
		}
	}
}

// newTopicID is random, as in Kafka: topics of two servers never share one.
func newTopicID() (id topicID) {
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// derivedID identifies a stream that has no document of this door.
func derivedID(s *core.Stream, c *core.StreamConfig) (id topicID) {
	b := binary.BigEndian.AppendUint64(nil, s.ID())
	b = binary.BigEndian.AppendUint64(b, uint64(s.Created()))
	h := sha256.Sum256(fmt.Appendf(b, "%s.%s", c.Realm, c.Name))
	copy(id[:], h[:])
	return id
}

// exposedID identifies a second name.
func exposedID(view topicID, name string) (id topicID) {
	h := sha256.Sum256(append(view[:], name...))
	copy(id[:], h[:])
	return id
}

// CheckName says why another door's stream cannot be shown under this name.
func CheckName(name string) error {
	if why := checkName(name); why != "" {
		return errors.New(why)
	}
	if name == offsetsTopic || name == metadataTopic {
		return fmt.Errorf("'%s' is Kafka's own", name)
	}
	return nil
}

// maxTopicName is the longest name of a topic.
const maxTopicName = 249

// checkName says why a topic cannot have this name, "" if it can.
func checkName(name string) string {
	switch {
	case name == "":
		return "Topic name is invalid: the empty string is not allowed"
	case name == "." || name == "..":
		return "Topic name is invalid: '" + name + "' is not allowed"
	case len(name) > maxTopicName:
		return fmt.Sprintf("Topic name is invalid: the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	case strings.ContainsFunc(name, illegal):
		return "Topic name is invalid: '" + name + "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
	}
	return ""
}

func illegal(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
}

// collisionForm is the form in which names that differ in dots and underscores only are equal.
func collisionForm(name string) string { return strings.ReplaceAll(name, ".", "_") }
