package wire

// ExchangeDeclare is exchange.declare.
type ExchangeDeclare struct {
	Ticket                                         uint16
	Exchange, Type                                 string
	Passive, Durable, AutoDelete, Internal, NoWait bool
	Arguments                                      Table
}

func (*ExchangeDeclare) ID() ID { return ClassExchange<<16 | 10 }
func (m *ExchangeDeclare) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Exchange)
	f.short(&m.Type)
	f.bits(&m.Passive, &m.Durable, &m.AutoDelete, &m.Internal, &m.NoWait)
	f.table(&m.Arguments)
}

// ExchangeDeclareOk is exchange.declare-ok.
type ExchangeDeclareOk struct{}

func (*ExchangeDeclareOk) ID() ID         { return ClassExchange<<16 | 11 }
func (*ExchangeDeclareOk) fields(*fields) {}

// ExchangeDelete is exchange.delete.
type ExchangeDelete struct {
	Ticket           uint16
	Exchange         string
	IfUnused, NoWait bool
}

func (*ExchangeDelete) ID() ID { return ClassExchange<<16 | 20 }
func (m *ExchangeDelete) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Exchange)
	f.bits(&m.IfUnused, &m.NoWait)
}

// ExchangeDeleteOk is exchange.delete-ok.
type ExchangeDeleteOk struct{}

func (*ExchangeDeleteOk) ID() ID         { return ClassExchange<<16 | 21 }
func (*ExchangeDeleteOk) fields(*fields) {}

// ExchangeBind is exchange.bind.
type ExchangeBind struct {
	Ticket                          uint16
	Destination, Source, RoutingKey string
	NoWait                          bool
	Arguments                       Table
}

func (*ExchangeBind) ID() ID { return ClassExchange<<16 | 30 }
func (m *ExchangeBind) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Destination)
	f.short(&m.Source)
	f.short(&m.RoutingKey)
	f.bits(&m.NoWait)
	f.table(&m.Arguments)
}

// ExchangeBindOk is exchange.bind-ok.
type ExchangeBindOk struct{}

func (*ExchangeBindOk) ID() ID         { return ClassExchange<<16 | 31 }
func (*ExchangeBindOk) fields(*fields) {}

// ExchangeUnbind is exchange.unbind.
type ExchangeUnbind struct {
	Ticket                          uint16
	Destination, Source, RoutingKey string
	NoWait                          bool
	Arguments                       Table
}

func (*ExchangeUnbind) ID() ID { return ClassExchange<<16 | 40 }
func (m *ExchangeUnbind) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Destination)
	f.short(&m.Source)
	f.short(&m.RoutingKey)
	f.bits(&m.NoWait)
	f.table(&m.Arguments)
}

// ExchangeUnbindOk is exchange.unbind-ok.
type ExchangeUnbindOk struct{}

func (*ExchangeUnbindOk) ID() ID         { return ClassExchange<<16 | 51 }
func (*ExchangeUnbindOk) fields(*fields) {}
