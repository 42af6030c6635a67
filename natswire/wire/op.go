package wire

// Verb says what an Op does.
type Verb uint8

const (
	_ Verb = iota
	Connect
	Info
	Pub // PUB and HPUB
	Sub
	Unsub
	Ping
	Pong
	OK
	Err
)

// Op is one operation of a client.
type Op struct {
	Verb Verb
	// Arg is the argument of CONNECT, INFO and -ERR.
	Arg []byte
	// Msg of a publish; Subject also of a SUB.
	Msg
	// Queue and Sid of a SUB (nil Queue = none), Sid and Max of an UNSUB (0 = at once).
	Queue, Sid []byte
	Max        int
	// Need, if Parse found the operation incomplete but knows its length, is that
	// length; otherwise 0.
	Need int
}
