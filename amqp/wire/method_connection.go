package wire

// ConnectionStart is connection.start.
type ConnectionStart struct {
	VersionMajor, VersionMinor uint8
	ServerProperties           Table
	Mechanisms, Locales        []byte
}

func (*ConnectionStart) ID() ID { return ClassConnection<<16 | 10 }
func (m *ConnectionStart) fields(f *fields) {
	f.u8(&m.VersionMajor)
	f.u8(&m.VersionMinor)
	f.table(&m.ServerProperties)
	f.long(&m.Mechanisms)
	f.long(&m.Locales)
}

// ConnectionStartOk is connection.start-ok.
type ConnectionStartOk struct {
	ClientProperties Table
	Mechanism        string
	Response         []byte
	Locale           string
}

func (*ConnectionStartOk) ID() ID { return ClassConnection<<16 | 11 }
func (m *ConnectionStartOk) fields(f *fields) {
	f.table(&m.ClientProperties)
	f.short(&m.Mechanism)
	f.long(&m.Response)
	f.short(&m.Locale)
}

// ConnectionSecure is connection.secure.
type ConnectionSecure struct {
	Challenge []byte
}

func (*ConnectionSecure) ID() ID { return ClassConnection<<16 | 20 }
func (m *ConnectionSecure) fields(f *fields) {
	f.long(&m.Challenge)
}

// ConnectionSecureOk is connection.secure-ok.
type ConnectionSecureOk struct {
	Response []byte
}

func (*ConnectionSecureOk) ID() ID { return ClassConnection<<16 | 21 }
func (m *ConnectionSecureOk) fields(f *fields) {
	f.long(&m.Response)
}

// ConnectionTune is connection.tune.
type ConnectionTune struct {
	ChannelMax uint16
	FrameMax   uint32
	Heartbeat  uint16
}

func (*ConnectionTune) ID() ID { return ClassConnection<<16 | 30 }
func (m *ConnectionTune) fields(f *fields) {
	f.u16(&m.ChannelMax)
	f.u32(&m.FrameMax)
	f.u16(&m.Heartbeat)
}

// ConnectionTuneOk is connection.tune-ok.
type ConnectionTuneOk struct {
	ChannelMax uint16
	FrameMax   uint32
	Heartbeat  uint16
}

func (*ConnectionTuneOk) ID() ID { return ClassConnection<<16 | 31 }
func (m *ConnectionTuneOk) fields(f *fields) {
	f.u16(&m.ChannelMax)
	f.u32(&m.FrameMax)
	f.u16(&m.Heartbeat)
}

// ConnectionOpen is connection.open.
type ConnectionOpen struct {
	VHost, Reserved1 string
	Reserved2        bool
}

func (*ConnectionOpen) ID() ID { return ClassConnection<<16 | 40 }
func (m *ConnectionOpen) fields(f *fields) {
	f.short(&m.VHost)
	f.short(&m.Reserved1)
	f.bits(&m.Reserved2)
}

// ConnectionOpenOk is connection.open-ok.
type ConnectionOpenOk struct {
	Reserved1 string
}

func (*ConnectionOpenOk) ID() ID { return ClassConnection<<16 | 41 }
func (m *ConnectionOpenOk) fields(f *fields) {
	f.short(&m.Reserved1)
}

// ConnectionClose is connection.close.
type ConnectionClose struct {
	ReplyCode         uint16
	ReplyText         string
	ClassID, MethodID uint16
}

func (*ConnectionClose) ID() ID { return ClassConnection<<16 | 50 }
func (m *ConnectionClose) fields(f *fields) {
	f.u16(&m.ReplyCode)
	f.short(&m.ReplyText)
	f.u16(&m.ClassID)
	f.u16(&m.MethodID)
}

// ConnectionCloseOk is connection.close-ok.
type ConnectionCloseOk struct{}

func (*ConnectionCloseOk) ID() ID         { return ClassConnection<<16 | 51 }
func (*ConnectionCloseOk) fields(*fields) {}

// ConnectionBlocked is connection.blocked.
type ConnectionBlocked struct {
	Reason string
}

func (*ConnectionBlocked) ID() ID { return ClassConnection<<16 | 60 }
func (m *ConnectionBlocked) fields(f *fields) {
	f.short(&m.Reason)
}

// ConnectionUnblocked is connection.unblocked.
type ConnectionUnblocked struct{}

func (*ConnectionUnblocked) ID() ID         { return ClassConnection<<16 | 61 }
func (*ConnectionUnblocked) fields(*fields) {}

// ConnectionUpdateSecret is connection.update-secret.
type ConnectionUpdateSecret struct {
	NewSecret []byte
	Reason    string
}

func (*ConnectionUpdateSecret) ID() ID { return ClassConnection<<16 | 70 }
func (m *ConnectionUpdateSecret) fields(f *fields) {
	f.long(&m.NewSecret)
	f.short(&m.Reason)
}

// ConnectionUpdateSecretOk is connection.update-secret-ok.
type ConnectionUpdateSecretOk struct{}

func (*ConnectionUpdateSecretOk) ID() ID         { return ClassConnection<<16 | 71 }
func (*ConnectionUpdateSecretOk) fields(*fields) {}
