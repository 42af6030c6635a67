package wire

// ConfirmSelect is confirm.select.
type ConfirmSelect struct {
	NoWait bool
}

func (*ConfirmSelect) ID() ID { return ClassConfirm<<16 | 10 }
func (m *ConfirmSelect) fields(f *fields) {
	f.bits(&m.NoWait)
}

// ConfirmSelectOk is confirm.select-ok.
type ConfirmSelectOk struct{}

func (*ConfirmSelectOk) ID() ID         { return ClassConfirm<<16 | 11 }
func (*ConfirmSelectOk) fields(*fields) {}
