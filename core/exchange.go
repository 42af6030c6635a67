package core

// The kinds of exchange.
const (
	Direct  = "direct"
	Fanout  = "fanout"
	Topic   = "topic"
	Headers = "headers"
)

// SubjectExchange is the name of the exchange that is the namespace's subject space: a
// topic exchange whose bindings are subject interest.
const SubjectExchange = "amq.nats"

// ExchangeConfig describes an Exchange.
type ExchangeConfig struct {
	Name       string
	Kind       string
	Durable    bool
	AutoDelete bool // removed when its last binding as a source goes
	Internal   bool
	// Alternate is the exchange that gets what has no destination here; "" = none.
	Alternate string
	Doc       []byte
}

// Exchange routes messages by key or headers.
type Exchange struct{}

func (ns *Namespace) CreateExchange(tx *Tx, c ExchangeConfig) (*Exchange, error) { panic("core") }
func (ns *Namespace) Exchange(name string) *Exchange                             { panic("core") }
func (ns *Namespace) Exchanges(f func(x *Exchange) bool)                         { panic("core") }
func (x *Exchange) Config() ExchangeConfig                                       { panic("core") }
func (x *Exchange) Delete(tx *Tx)                                                { panic("core") }

// Bound reports whether x has any binding as a source.
func (x *Exchange) Bound() bool { panic("core") }

// Binding connects an exchange to a queue, a stream or another exchange. Its identity is
// all of it but Match and Doc, plus ArgsID.
type Binding struct {
	Source string
	// Exactly one destination: a Queue, a Stream (one partition or keyed) or an exchange.
	Queue    *Queue
	Stream   *Stream
	Exchange string
	Key      string
	// ArgsID is a canonical form of the binding's arguments, "" for none.
	ArgsID string
	// Match are the header conditions of a headers exchange.
	Match *HeaderMatch
	// Durable bindings survive a restart.
	Durable bool
	Doc     []byte
}

// HeaderMatch is a binding's condition on headers: all or any of Want hold. A value is
// a comparable canonical form chosen by the door; a nil value means: present.
type HeaderMatch struct {
	Any  bool
	Want []HeaderWant
}

type HeaderWant struct {
	Name  string
	Value []byte
}

// HeaderSource looks up a message's headers in the same canonical form.
type HeaderSource interface {
	Header(name string) (value []byte, ok bool)
}

// Bind adds a binding; repeating one is no error. Unbind removes one and
// reports whether there was one. Error codes: NotFound (with Name of what is missing).
func (ns *Namespace) Bind(tx *Tx, b Binding) error           { panic("core: Bind") }
func (ns *Namespace) Unbind(tx *Tx, b Binding) (bool, error) { panic("core: Unbind") }
func (ns *Namespace) Bindings(f func(b *Binding) bool)       { panic("core: Bindings") }

// Routes is where a message goes: each destination once. Its slices are reused
// by the next Route into it.
type Routes struct {
	Queues    []*Queue
	Streams   []*Stream
	Receivers []Receiver
}

// Empty reports that nobody wants the message.
func (r *Routes) Empty() bool { return len(r.Queues)+len(r.Streams)+len(r.Receivers) == 0 }

// Route finds the destinations of a message published to x with these keys (one, or
// several for carbon copies), following exchange bindings and alternates. It takes no lock.
// It picks one member of every queue group that it meets in the subject space.
func (ns *Namespace) Route(x *Exchange, keys []string, h HeaderSource, into *Routes) {
	panic("core: Route")
}
