package wire

// ChannelOpen is channel.open.
type ChannelOpen struct {
	Reserved1 string
}

func (*ChannelOpen) ID() ID { return ClassChannel<<16 | 10 }
func (m *ChannelOpen) fields(f *fields) {
	f.short(&m.Reserved1)
}

// ChannelOpenOk is channel.open-ok.
type ChannelOpenOk struct {
	Reserved1 []byte
}

func (*ChannelOpenOk) ID() ID { return ClassChannel<<16 | 11 }
func (m *ChannelOpenOk) fields(f *fields) {
	f.long(&m.Reserved1)
}

// ChannelFlow is channel.flow.
type ChannelFlow struct {
	Active bool
}

func (*ChannelFlow) ID() ID { return ClassChannel<<16 | 20 }
func (m *ChannelFlow) fields(f *fields) {
	f.bits(&m.Active)
}

// ChannelFlowOk is channel.flow-ok.
type ChannelFlowOk struct {
	Active bool
}

func (*ChannelFlowOk) ID() ID { return ClassChannel<<16 | 21 }
func (m *ChannelFlowOk) fields(f *fields) {
	f.bits(&m.Active)
}

// ChannelClose is channel.close.
type ChannelClose struct {
	ReplyCode         uint16
	ReplyText         string
	ClassID, MethodID uint16
}

func (*ChannelClose) ID() ID { return ClassChannel<<16 | 40 }
func (m *ChannelClose) fields(f *fields) {
	f.u16(&m.ReplyCode)
	f.short(&m.ReplyText)
	f.u16(&m.ClassID)
	f.u16(&m.MethodID)
}

// ChannelCloseOk is channel.close-ok.
type ChannelCloseOk struct{}

func (*ChannelCloseOk) ID() ID         { return ClassChannel<<16 | 41 }
func (*ChannelCloseOk) fields(*fields) {}
