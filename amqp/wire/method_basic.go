package wire

// BasicQos is basic.qos.
type BasicQos struct {
	PrefetchSize  uint32
	PrefetchCount uint16
	Global        bool
}

func (*BasicQos) ID() ID { return ClassBasic<<16 | 10 }
func (m *BasicQos) fields(f *fields) {
	f.u32(&m.PrefetchSize)
	f.u16(&m.PrefetchCount)
	f.bits(&m.Global)
}

// BasicQosOk is basic.qos-ok.
type BasicQosOk struct{}

func (*BasicQosOk) ID() ID         { return ClassBasic<<16 | 11 }
func (*BasicQosOk) fields(*fields) {}

// BasicConsume is basic.consume.
type BasicConsume struct {
	Ticket                            uint16
	Queue, ConsumerTag                string
	NoLocal, NoAck, Exclusive, NoWait bool
	Arguments                         Table
}

func (*BasicConsume) ID() ID { return ClassBasic<<16 | 20 }
func (m *BasicConsume) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Queue)
	f.short(&m.ConsumerTag)
	f.bits(&m.NoLocal, &m.NoAck, &m.Exclusive, &m.NoWait)
	f.table(&m.Arguments)
}

// BasicConsumeOk is basic.consume-ok.
type BasicConsumeOk struct {
	ConsumerTag string
}

func (*BasicConsumeOk) ID() ID { return ClassBasic<<16 | 21 }
func (m *BasicConsumeOk) fields(f *fields) {
	f.short(&m.ConsumerTag)
}

// BasicCancel is basic.cancel.
type BasicCancel struct {
	ConsumerTag string
	NoWait      bool
}

func (*BasicCancel) ID() ID { return ClassBasic<<16 | 30 }
func (m *BasicCancel) fields(f *fields) {
	f.short(&m.ConsumerTag)
	f.bits(&m.NoWait)
}

// BasicCancelOk is basic.cancel-ok.
type BasicCancelOk struct {
	ConsumerTag string
}

func (*BasicCancelOk) ID() ID { return ClassBasic<<16 | 31 }
func (m *BasicCancelOk) fields(f *fields) {
	f.short(&m.ConsumerTag)
}

// BasicPublish is basic.publish.
type BasicPublish struct {
	Ticket               uint16
	Exchange, RoutingKey string
	Mandatory, Immediate bool
}

func (*BasicPublish) ID() ID { return ClassBasic<<16 | 40 }
func (m *BasicPublish) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Exchange)
	f.short(&m.RoutingKey)
	f.bits(&m.Mandatory, &m.Immediate)
}

// BasicReturn is basic.return.
type BasicReturn struct {
	ReplyCode                       uint16
	ReplyText, Exchange, RoutingKey string
}

func (*BasicReturn) ID() ID { return ClassBasic<<16 | 50 }
func (m *BasicReturn) fields(f *fields) {
	f.u16(&m.ReplyCode)
	f.short(&m.ReplyText)
	f.short(&m.Exchange)
	f.short(&m.RoutingKey)
}

// BasicDeliver is basic.deliver.
type BasicDeliver struct {
	ConsumerTag          string
	DeliveryTag          uint64
	Redelivered          bool
	Exchange, RoutingKey string
}

func (*BasicDeliver) ID() ID { return ClassBasic<<16 | 60 }
func (m *BasicDeliver) fields(f *fields) {
	f.short(&m.ConsumerTag)
	f.u64(&m.DeliveryTag)
	f.bits(&m.Redelivered)
	f.short(&m.Exchange)
	f.short(&m.RoutingKey)
}

// BasicGet is basic.get.
type BasicGet struct {
	Ticket uint16
	Queue  string
	NoAck  bool
}

func (*BasicGet) ID() ID { return ClassBasic<<16 | 70 }
func (m *BasicGet) fields(f *fields) {
	f.u16(&m.Ticket)
	f.short(&m.Queue)
	f.bits(&m.NoAck)
}

// BasicGetOk is basic.get-ok.
type BasicGetOk struct {
	DeliveryTag          uint64
	Redelivered          bool
	Exchange, RoutingKey string
	MessageCount         uint32
}

func (*BasicGetOk) ID() ID { return ClassBasic<<16 | 71 }
func (m *BasicGetOk) fields(f *fields) {
	f.u64(&m.DeliveryTag)
	f.bits(&m.Redelivered)
	f.short(&m.Exchange)
	f.short(&m.RoutingKey)
	f.u32(&m.MessageCount)
}

// BasicGetEmpty is basic.get-empty.
type BasicGetEmpty struct {
	ClusterID string
}

func (*BasicGetEmpty) ID() ID { return ClassBasic<<16 | 72 }
func (m *BasicGetEmpty) fields(f *fields) {
	f.short(&m.ClusterID)
}

// BasicAck is basic.ack.
type BasicAck struct {
	DeliveryTag uint64
	Multiple    bool
}

func (*BasicAck) ID() ID { return ClassBasic<<16 | 80 }
func (m *BasicAck) fields(f *fields) {
	f.u64(&m.DeliveryTag)
	f.bits(&m.Multiple)
}

// BasicReject is basic.reject.
type BasicReject struct {
	DeliveryTag uint64
	Requeue     bool
}

func (*BasicReject) ID() ID { return ClassBasic<<16 | 90 }
func (m *BasicReject) fields(f *fields) {
	f.u64(&m.DeliveryTag)
	f.bits(&m.Requeue)
}

// BasicRecoverAsync is basic.recover-async.
type BasicRecoverAsync struct {
	Requeue bool
}

func (*BasicRecoverAsync) ID() ID { return ClassBasic<<16 | 100 }
func (m *BasicRecoverAsync) fields(f *fields) {
	f.bits(&m.Requeue)
}

// BasicRecover is basic.recover.
type BasicRecover struct {
	Requeue bool
}

func (*BasicRecover) ID() ID { return ClassBasic<<16 | 110 }
func (m *BasicRecover) fields(f *fields) {
	f.bits(&m.Requeue)
}

// BasicRecoverOk is basic.recover-ok.
type BasicRecoverOk struct{}

func (*BasicRecoverOk) ID() ID         { return ClassBasic<<16 | 111 }
func (*BasicRecoverOk) fields(*fields) {}

// BasicNack is basic.nack.
type BasicNack struct {
	DeliveryTag       uint64
	Multiple, Requeue bool
}

func (*BasicNack) ID() ID { return ClassBasic<<16 | 120 }
func (m *BasicNack) fields(f *fields) {
	f.u64(&m.DeliveryTag)
	f.bits(&m.Multiple, &m.Requeue)
}
