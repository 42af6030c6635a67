package wire

// AccessRequest is access.request.
type AccessRequest struct {
	Realm                                   string
	Exclusive, Passive, Active, Write, Read bool
}

func (*AccessRequest) ID() ID { return ClassAccess<<16 | 10 }
func (m *AccessRequest) fields(f *fields) {
	f.short(&m.Realm)
	f.bits(&m.Exclusive, &m.Passive, &m.Active, &m.Write, &m.Read)
}

// AccessRequestOk is access.request-ok.
type AccessRequestOk struct {
	Ticket uint16
}

func (*AccessRequestOk) ID() ID { return ClassAccess<<16 | 11 }
func (m *AccessRequestOk) fields(f *fields) {
	f.u16(&m.Ticket)
}
