package core

// The reasons of a death.
const (
	Rejected      = "rejected"
	Expired       = "expired"
	MaxLen        = "maxlen"
	DeliveryLimit = "delivery_limit"
)

// death is a message that leaves its queue without having been settled.
type death struct {
	offset   Offset
	reason   string
	attempts int32
}

// letter is a dead message on its way to where it is routed.
type letter struct {
	entry  Entry
	queues []*Queue
	to     Routes
	dead   Dead
	x      *Exchange // it is routed from
	b      *Broker
	ns     *Namespace
}

// letter makes the message that a death sends, nil if it goes nowhere. It neither
// blocks nor locks.
func (q *Queue) letter(e *Entry, d death, now int64) *letter {
	c := q.config()
	if !c.HasDeadLetter {
		return nil
	}
	ns := q.s.ns
	x := ns.Exchange(c.DeadLetter)
	if x == nil {
		return nil
	}
	dead := Dead{Data: e.Data, Keys: []string{string(e.Key)}}
	if c.HasDeadLetterKey {
		dead.Keys[0] = c.DeadLetterKey
	}
	dl, ok := q.s.b.Codec(e.Format).(DeadLetterer)
	if !ok {
		e, dl = q.s.b.adopt(e)
	}
	if dl != nil {
		var err error
		dead, err = dl.DeadLettered(e, Death{
			Reason: d.reason, Queue: q.name, Exchange: c.DeadLetter, Key: c.DeadLetterKey,
			HasKey: c.HasDeadLetterKey, Time: now, Attempts: int(d.attempts),
		})
		if err != nil {
			q.s.b.log.Error("a dead message cannot be read and is dropped", "queue", q.name, "err", err)
			return nil
		}
	}
	l := &letter{b: q.s.b, ns: ns, dead: dead, x: x}
	ns.Route(x, dead.Keys, dead.Headers, &l.to)
	l.sort()
	if len(l.queues)+len(l.to.Streams)+len(l.to.Receivers) == 0 {
		return nil
	}
	l.entry = Entry{Count: e.Count, Format: e.Format, Volatile: e.Volatile, Priority: e.Priority, Data: dead.Data}
	if len(dead.Keys) > 0 {
		l.entry.Key = []byte(dead.Keys[0])
	}
	return l
}

// sort finds the queues where the letter may go.
func (l *letter) sort() {
	l.queues = l.queues[:0]
	for _, t := range l.to.Queues {
		if l.dead.Cycles == nil || !l.dead.Cycles(t.name) {
			l.queues = append(l.queues, t)
		}
	}
}

// adopt returns e in a format that can record deaths, or e as it is and nil if there is none.
func (b *Broker) adopt(e *Entry) (*Entry, DeadLetterer) {
	if b.adopter == nil {
		return e, nil
	}
	ms, err := b.messages(e, nil)
	if err != nil || len(ms) != 1 {
		return e, nil
	}
	c := *e
	c.Format, c.Data = b.adopter.Format(), b.adopter.Adopt(e, &ms[0])
	return &c, b.adopter
}

// send stores the letter. A target that refuses it does without.
func (l *letter) send(tx *Tx) {
	if l.to.Undecided {
		l.ns.RouteIn(tx, l.x, l.dead.Keys, l.dead.Headers, &l.to)
		l.sort()
	}
	for _, q := range l.queues {
		e := l.entry
		e.ID = q.Identify(l.dead.Headers)
		if err := q.append(tx, &e); err != nil {
			l.b.log.Debug("a dead message is refused", "queue", q.name, "err", err)
		}
	}
	for _, s := range l.to.Streams {
		e := l.entry
		if _, err := s.Append(tx, s.PartitionOf(e.Key), &e, nil); err != nil {
			l.b.log.Debug("a dead message is refused", "stream", s.config().Name, "err", err)
		}
	}
}

// publish tells the receivers of the subject space.
func (l *letter) publish() {
	if len(l.to.Receivers) == 0 {
		return
	}
	ms, err := l.b.messages(&l.entry, nil)
	if err != nil || len(ms) == 0 {
		return
	}
	for i, r := range l.to.Receivers {
		ms[0].Key = []byte(l.to.Subjects[i])
		r.Receive(ms[0].Key, &ms[0])
	}
}

// bury takes dying messages out of the queue and sends them on, in one transaction:
// none is lost, and none is in both places.
func (q *Queue) bury(ds []death, now int64) {
	letters := make([]*letter, len(ds))
	if q.config().HasDeadLetter {
		for i, d := range ds {
			e, err := q.c.p.get(d.offset)
			if err != nil {
				q.s.b.log.Error("a dead message cannot be read and is dropped", "queue", q.name, "err", err)
				continue
			}
			letters[i] = q.letter(e, d, now)
		}
	}
	c, gone := &q.c, make([]Offset, 0, len(ds))
	tx := c.s.b.Begin()
	if tx.refused { // they stay where they are, for after the restart
		tx.Commit()
		return
	}
	c.lock()
	for i, d := range ds {
		f := c.mu.flights.find(d.offset)
		if f == nil || f.state != dying {
			letters[i] = nil // purged with its queue
			continue
		}
		gone = c.land(f, gone)
	}
	if !q.s.gone {
		deleteRanges(tx, c.p.log, gone)
	}
	c.unlock()
	for _, l := range letters {
		if l != nil {
			l.send(tx)
		}
	}
	tx.Commit()
	for _, l := range letters {
		if l != nil {
			l.publish()
		}
	}
}
