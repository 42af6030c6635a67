package core

// Receiver gets ephemeral messages of the subject space. It must not block.
type Receiver interface {
	// Receive takes a message published to subject. m is valid during the call only. It reports
	// false if it cannot take it, so that another member of its group is tried.
	Receive(subject []byte, m *Message) bool
}

// Subjects is a namespace's subject space: who is interested in a message with this
// subject. Reading is lock-free: Match works on an immutable snapshot.
type Subjects struct{}

func (ns *Namespace) Subjects() *Subjects { panic("core: Subjects") }

// Subscribe adds interest of r in the subjects that match pattern; group "" is none, else one
// member of the group gets each message. The handle ends it.
func (s *Subjects) Subscribe(pattern, group string, r Receiver) *Interest { panic("core: Subscribe") }

// Interest is one subscription in the subject space.
type Interest struct{}

func (i *Interest) Close() { panic("core: Interest.Close") }

// Matched is who wants a subject. It is immutable and may be cached as long as Version is unchanged.
type Matched struct {
	Version   uint64
	Receivers []Receiver   // without group
	Groups    [][]Receiver // one member of each
	// Streams capture the subject, Queues and Exchanges are bound to it.
	Streams   []*Stream
	Queues    []*Queue
	Exchanges []*Exchange
}

func (m *Matched) Empty() bool { panic("core: Empty") }

// Match returns who wants a literal subject. Version changes whenever a Match might
// answer differently.
func (s *Subjects) Match(subject []byte) *Matched { panic("core: Match") }
func (s *Subjects) Version() uint64               { panic("core: Version") }

// HasInterest reports whether any pattern overlaps with pattern.
func (s *Subjects) HasInterest(pattern string) bool { panic("core: HasInterest") }

// Publish delivers an ephemeral message to all receivers (and one per group) that match, and
// reports how many took it. It does not store it in streams or queues: Route does that.
func (s *Subjects) Publish(subject []byte, m *Message) int { panic("core: Publish") }

// Patterns. A literal subject has no empty word and no wildcard; in a pattern * is one word,
// > one or more at the end; the topic dialect has # instead: zero or more words, anywhere.
func ValidSubject(s string) bool            { panic("core: ValidSubject") } // a pattern
func LiteralSubject(s string) bool          { panic("core: LiteralSubject") }
func SubjectMatches(pattern, s string) bool { panic("core: SubjectMatches") }
func SubjectsOverlap(a, b string) bool      { panic("core: SubjectsOverlap") }
