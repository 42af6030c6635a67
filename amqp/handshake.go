package amqp

import (
	"bytes"
	"io"
	"runtime"
	"strconv"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// mechanisms of logging in, in order of preference.
const mechanisms = "PLAIN AMQPLAIN ANONYMOUS"

// anonymousUser is who ANONYMOUS logs in as, with this password: like RabbitMQ's guest, from
// loopback only, and no more once that password is changed.
const anonymousUser = "guest"

// hello reads the protocol header and answers connection.start, or the header
// that would have been right.
func (c *conn) hello() error {
	var b [8]byte
	if _, err := io.ReadFull(c.nc, b[:]); err != nil {
		return err
	}
	minor := uint8(9)
	major := uint8(0)
	if b != wire.ProtocolHeader && !bytes.Equal(b[:], []byte("AMQP\x01\x01\x00\x09")) {
		_, _ = c.nc.Write(wire.ProtocolHeader[:])
		c.state = stDone
		return io.ErrUnexpectedEOF
	}
	c.send(0, &wire.ConnectionStart{
		VersionMajor: major, VersionMinor: minor, ServerProperties: serverProperties(),
		Mechanisms: []byte(mechanisms), Locales: []byte("en_US"),
	})
	c.out.flush()
	return nil
}

// serverProperties tell clients whose behaviour to expect: many decide by product and version.
func serverProperties() wire.Table {
	caps := wire.Table(nil)
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to",
	} {
		caps = caps.Bool(name, true)
	}
	return wire.Table(nil).
		Table("capabilities", caps).
		Str("cluster_name", "trivium").
		Str("copyright", "Trivium, speaking as RabbitMQ "+version).
		Str("information", "Trivium: AMQP, Kafka and NATS in one broker").
		Str("platform", "Go "+runtime.Version()).
		Str("product", "RabbitMQ").
		Str("version", version)
}

// method handles a method of channel 0.
func (c *conn) method(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ConnectionStartOk:
		if c.state == stStart && c.user == nil {
			return c.startOk(m)
		}
	case *wire.ConnectionTuneOk:
		if c.state == stTune {
			return c.tuneOk(m)
		}
	case *wire.ConnectionOpen:
		if c.state == stOpen {
			return c.openVHost(m)
		}
	case *wire.ConnectionClose:
		if c.state == stRunning || c.state == stOpen || c.state == stTune {
			c.closeByClient()
			return nil
		}
	case *wire.ConnectionUpdateSecret:
		if c.state == stRunning {
			// Passwords do not expire: there is nothing to renew.
			c.send(0, &wire.ConnectionUpdateSecretOk{})
			return nil
		}
	}
	if m.ID().Class() == wire.ClassConnection {
		return refuse(codeChannelError, "unexpected method in connection state %s", c.stateName())
	}
	return refuse(codeCommandInvalid, "unimplemented method")
}

func (c *conn) stateName() string {
	return [...]string{"starting", "tuning", "opening", "running", "closing", "closed"}[c.state]
}

// startOk logs the client in.
func (c *conn) startOk(m *wire.ConnectionStartOk) error {
	if v, ok := m.ClientProperties.Lookup("capabilities"); ok {
		caps, _ := v.Table()
		flag := func(name string) bool {
			v, _ := caps.Lookup(name)
			b, _ := v.Bool()
			return b
		}
		c.caps = capabilities{
			cancelNotify: flag("consumer_cancel_notify"), authFailureClose: flag("authentication_failure_close"),
			blocked: flag("connection.blocked"),
		}
	}
	if v, ok := m.ClientProperties.Lookup("connection_name"); ok {
		if name, ok := v.Text(); ok {
			c.log = c.log.With("name", string(name))
		}
	}
	user, password, err := credentials(m.Mechanism, m.Response)
	if err != nil {
		return err
	}
	id, err := c.s.Auth.Login(user, password, c.nc.RemoteAddr())
	// It takes our time, not the client's, and in a storm of logins others' turns too.
	_ = c.nc.SetReadDeadline(time.Now().Add(c.s.HandshakeTimeout))
	if err != nil {
		return refuse(codeAccessRefused, "Login was refused using authentication mechanism %s. For details see the broker logfile.", m.Mechanism)
	}
	c.user = id
	c.release = c.s.Auth.Hold(id.User, func() { c.force("user '" + id.User + "' is deleted") })
	c.state = stTune
	c.send(0, &wire.ConnectionTune{
		ChannelMax: c.s.ChannelMax, FrameMax: c.s.FrameMax, Heartbeat: uint16(c.s.Heartbeat / time.Second),
	})
	return nil
}

// credentials reads a mechanism's initial response.
func credentials(mechanism string, response []byte) (user, password string, err error) {
	switch mechanism {
	case "PLAIN":
		parts := bytes.Split(response, []byte{0})
		if len(parts) != 3 {
			return "", "", refuse(codeSyntaxError, "response to PLAIN is malformed")
		}
		return string(parts[1]), string(parts[2]), nil
	case "AMQPLAIN":
		t := wire.Table(response)
		if wire.ValidTable(t) == nil {
			login, _ := t.Lookup("LOGIN")
			pass, _ := t.Lookup("PASSWORD")
			u, ok := login.Text()
			p, ok2 := pass.Text()
			if ok && ok2 {
				return string(u), string(p), nil
			}
		}
		return "", "", refuse(codeSyntaxError, "AMQPLAIN auth info %s is missing LOGIN or PASSWORD field", "table")
	case "ANONYMOUS":
		return anonymousUser, anonymousUser, nil
	}
	return "", "", refuse(codeCommandInvalid, "unknown authentication mechanism '%s'", mechanism)
}

// negotiated checks a client's choice against the server's limit.
func negotiated(name string, got, low, offered uint64) error {
	switch {
	case got == 0 && offered != 0:
		return refuse(codeNotAllowed, "negotiated %s = 0 (no limit) is higher than the maximum allowed value (%d)", name, offered)
	case got < low:
		return refuse(codeNotAllowed, "negotiated %s = %d is lower than the minimum allowed value (%d)", name, got, low)
	case got > offered:
		return refuse(codeNotAllowed, "negotiated %s = %d is higher than the maximum allowed value (%d)", name, got, offered)
	}
	return nil
}

// tuneOk takes the client's limits.
func (c *conn) tuneOk(m *wire.ConnectionTuneOk) error {
	if err := negotiated("frame_max", uint64(m.FrameMax), frameMinSize, uint64(c.s.FrameMax)); err != nil {
		return err
	}
	if err := negotiated("channel_max", uint64(m.ChannelMax), 1, uint64(c.s.ChannelMax)); err != nil {
		return err
	}
	c.frameMax, c.channelMax = int(m.FrameMax), int(m.ChannelMax)
	c.heartbeat = time.Duration(m.Heartbeat) * time.Second
	c.state = stOpen
	return nil
}

// openVHost enters a vhost: / is the default namespace, any other has its namespace's name.
func (c *conn) openVHost(m *wire.ConnectionOpen) error {
	name := m.VHost
	if name == "/" {
		name = core.DefaultNamespace
	} else if name == core.DefaultNamespace {
		name = "" // has one name only
	}
	ns := c.s.Broker.Namespace(name)
	if ns == nil {
		return refuse(codeNotAllowed, "vhost %s not found", m.VHost)
	}
	if c.user.Namespace != ns.Name() {
		return refuse(codeNotAllowed, "access to vhost '%s' refused for user '%s'", m.VHost, c.user.User)
	}
	c.ns, c.vhost = ns, m.VHost
	c.state = stRunning
	c.running.Store(true)
	_ = c.nc.SetReadDeadline(time.Time{})
	c.startHeart()
	c.startPatrol()
	c.send(0, &wire.ConnectionOpenOk{})
	c.log.Debug("connection open", "user", c.user.User, "vhost", m.VHost)
	return nil
}

// closeByClient ends what the client closes, and answers only then.
func (c *conn) closeByClient() {
	c.barrier()
	c.closeChannels()
	c.dropExclusive()
	c.send(0, &wire.ConnectionCloseOk{})
	c.closing.Store(true)
	c.state = stDone
}

// heartMisses is how many half intervals of silence end a connection: more than two intervals, at most three.
const heartMisses = 5

// startHeart sends heartbeats when nothing else is sent, and ends the connection when nothing
// comes.
func (c *conn) startHeart() {
	if c.heartbeat == 0 {
		return
	}
	half := c.heartbeat / 2
	var wrote, read uint64
	misses := 0
	// The timer runs one call at a time: the next is set when one is done.
	c.beat = time.AfterFunc(time.Hour, func() {
		if c.ended.Load() {
			return
		}
		if w := c.out.written(); w == wrote {
			c.out.lock()
			if c.out.waitingLocked() == 0 {
				c.out.mu.buf = wire.AppendHeartbeat(c.out.mu.buf)
			}
			c.out.unlock()
			c.out.flush()
		}
		wrote = c.out.written()
		if c.blocked.on.Load() || c.deaf.Load() { // it is not the client that is silent
			misses = 0
			if c.out.failed() {
				c.abort()
				return
			}
		} else if r := c.reads.Load(); r != read {
			read, misses = r, 0
		} else if misses++; misses >= heartMisses {
			c.log.Info("missed heartbeats from client", "timeout", c.heartbeat)
			c.abort()
			return
		}
		c.beat.Reset(half)
	})
	c.beat.Reset(half)
}

// erlangBytes writes octets as RabbitMQ's texts do.
func erlangBytes(b []byte) string {
	s := []byte("<<")
	for i, o := range b {
		if i > 0 {
			s = append(s, ',')
		}
		s = strconv.AppendUint(s, uint64(o), 10)
	}
	return string(append(s, ">>"...))
}
