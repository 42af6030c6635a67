package wire

// QueueDeclare is queue.declare.
type QueueDeclare struct {
	Ticket                                          uint16
	Queue                                           string
	Passive, Durable, Exclusive, AutoDelete, NoWait bool
	Arguments                                       Table
}

func (*QueueDeclare) ID() ID { return ClassQueue<<16 | 10 }
func (m *QueueDeclare) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Queue)
	f.bits(&m.Passive, &m.Durable, &m.Exclusive, &m.AutoDelete, &m.NoWait)
	f.table(&m.Arguments)
}

// QueueDeclareOk is queue.declare-ok.
type QueueDeclareOk struct {
	Queue                       string
	MessageCount, ConsumerCount uint32
}

func (*QueueDeclareOk) ID() ID { return ClassQueue<<16 | 11 }
func (m *QueueDeclareOk) fields(f *fields) {
	f.short(&m.Queue)
	f.u32(&m.MessageCount)
	f.u32(&m.ConsumerCount)
}

// QueueBind is queue.bind.
type QueueBind struct {
	Ticket                      uint16
	Queue, Exchange, RoutingKey string
	NoWait                      bool
	Arguments                   Table
}

func (*QueueBind) ID() ID { return ClassQueue<<16 | 20 }
func (m *QueueBind) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Queue)
	f.short(&m.Exchange)
	f.short(&m.RoutingKey)
	f.bits(&m.NoWait)
	f.table(&m.Arguments)
}

// QueueBindOk is queue.bind-ok.
type QueueBindOk struct{}

func (*QueueBindOk) ID() ID         { return ClassQueue<<16 | 21 }
func (*QueueBindOk) fields(*fields) {}

// QueuePurge is queue.purge.
type QueuePurge struct {
	Ticket uint16
	Queue  string
	NoWait bool
}

func (*QueuePurge) ID() ID { return ClassQueue<<16 | 30 }
func (m *QueuePurge) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Queue)
	f.bits(&m.NoWait)
}

// QueuePurgeOk is queue.purge-ok.
type QueuePurgeOk struct {
	MessageCount uint32
}

func (*QueuePurgeOk) ID() ID { return ClassQueue<<16 | 31 }
func (m *QueuePurgeOk) fields(f *fields) {
	f.u32(&m.MessageCount)
}

// QueueDelete is queue.delete.
type QueueDelete struct {
	Ticket                    uint16
	Queue                     string
	IfUnused, IfEmpty, NoWait bool
}

func (*QueueDelete) ID() ID { return ClassQueue<<16 | 40 }
func (m *QueueDelete) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Queue)
	f.bits(&m.IfUnused, &m.IfEmpty, &m.NoWait)
}

// QueueDeleteOk is queue.delete-ok.
type QueueDeleteOk struct {
	MessageCount uint32
}

func (*QueueDeleteOk) ID() ID { return ClassQueue<<16 | 41 }
func (m *QueueDeleteOk) fields(f *fields) {
	f.u32(&m.MessageCount)
}

// QueueUnbind is queue.unbind.
type QueueUnbind struct {
	Ticket                      uint16
	Queue, Exchange, RoutingKey string
	Arguments                   Table
}

func (*QueueUnbind) ID() ID { return ClassQueue<<16 | 50 }
func (m *QueueUnbind) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Queue)
	f.short(&m.Exchange)
	f.short(&m.RoutingKey)
	f.table(&m.Arguments)
}

// QueueUnbindOk is queue.unbind-ok.
type QueueUnbindOk struct{}

func (*QueueUnbindOk) ID() ID         { return ClassQueue<<16 | 51 }
func (*QueueUnbindOk) fields(*fields) {}
