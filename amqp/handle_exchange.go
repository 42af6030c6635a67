package amqp

import (
	"strings"

	"trivium/amqp/wire"
	"trivium/core"
)

// Exchanges, as in RabbitMQ 4.2's rabbit_channel:handle_method and rabbit_exchange.

const argAlternate = "alternate-exchange"

// notDefault refuses what must not be done to the default exchange.
func notDefault(names ...string) error {
	for _, n := range names {
		if n == "" {
			return refuse(codeAccessRefused, "operation not permitted on the default exchange")
		}
	}
	return nil
}

// exchangeDeclare makes an exchange, or checks that it is like the existing one.
func (ch *channel) exchangeDeclare(m *wire.ExchangeDeclare) error {
	c := ch.c
	name := strip(m.Exchange)
	if m.Passive {
		if err := notDefault(name); err != nil {
			return err
		}
		if c.ns.Exchange(name) == nil && name != topicExchange && c.superStream(name) == nil {
			return refuse(codeNotFound, "no %s", exchangeIn(name, c.vhost))
		}
		ch.answer(m.NoWait, &wire.ExchangeDeclareOk{})
		return nil
	}
	switch m.Type {
	case core.Direct, core.Fanout, core.Topic, core.Headers, typeDedup:
	default:
		return refuse(codePreconditionFailed, "unknown exchange type '%s'", m.Type)
	}
	if err := notDefault(name); err != nil {
		return err
	}
	if x := c.ns.Exchange(name); x != nil {
		if err := c.sameExchange(x, m); err != nil {
			return err
		}
		ch.answer(m.NoWait, &wire.ExchangeDeclareOk{})
		return nil
	}
	if err := reserved("exchange", name); err != nil {
		return err
	}
	if c.ns.Exposed(Realm, name) != nil {
		return refuse(codeAccessRefused, "%s is the exposed name of another protocol's stream", exchangeIn(name, c.vhost))
	}
	config := core.ExchangeConfig{
		Name: name, Kind: m.Type, Durable: m.Durable, AutoDelete: m.AutoDelete, Internal: m.Internal, Doc: m.Arguments,
	}
	if v, ok := m.Arguments.Lookup(argAlternate); ok {
		if v.Type != wire.TypeString {
			return refuse(codePreconditionFailed, "invalid type '%s' for arg '%s' in %s", typeName(v.Type), argAlternate, exchangeIn(name, c.vhost))
		}
		s, _ := v.Text()
		config.Alternate = string(s)
	}
	if err := exchangeDedup(&config, m.Type, exchangeIn(name, c.vhost), m.Arguments); err != nil {
		return err
	}
	err := c.s.Broker.Committed(func(tx *core.Tx) error {
		_, err := c.ns.CreateExchange(tx, config)
		return err
	})
	if hasCode(err, core.Exists) { // somebody else just made it
		return ch.exchangeDeclare(m)
	}
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.ExchangeDeclareOk{})
	return nil
}

// sameExchange checks that a declaration repeats x.
func (c *conn) sameExchange(x *core.Exchange, m *wire.ExchangeDeclare) error {
	xc := x.Config()
	what := exchangeIn(xc.Name, c.vhost)
	if err := c.sameField(what, "type", m.Type, exchangeType(&xc)); err != nil {
		return err
	}
	for _, f := range []struct {
		name      string
		got, want bool
	}{{"durable", m.Durable, xc.Durable}, {"auto_delete", m.AutoDelete, xc.AutoDelete}, {"internal", m.Internal, xc.Internal}} {
		if err := c.sameField(what, f.name, erlangBool(f.got), erlangBool(f.want)); err != nil {
			return err
		}
	}
	for _, name := range append([]string{argAlternate}, dedupArgs...) {
		if err := sameArg(what, name, m.Arguments, xc.Doc); err != nil {
			return err
		}
	}
	return nil
}

func erlangBool(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func (c *conn) sameField(what, name, got, want string) error {
	if got == want {
		return nil
	}
	return refuse(codePreconditionFailed, "inequivalent arg '%s' for %s: received '%s' but current is '%s'", name, what, got, want)
}

// sameArg compares one argument of two declarations.
func sameArg(what, name string, got, want wire.Table) error {
	g, hasG := got.Lookup(name)
	w, hasW := want.Lookup(name)
	if !hasG && !hasW || hasG && hasW && sameValue(g, w) {
		return nil
	}
	show := func(v wire.Value, ok bool) string {
		if !ok {
			return "none"
		}
		return "the value '" + valueText(v) + "' of type '" + typeName(v.Type) + "'"
	}
	if hasG && hasW {
		// Both are there: RabbitMQ shows the values alone.
		return refuse(codePreconditionFailed, "inequivalent arg '%s' for %s: received '%s' but current is '%s'", name, what, valueText(g), valueText(w))
	}
	return refuse(codePreconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s", name, what, show(g, hasG), show(w, hasW))
}

// exchangeDelete removes an exchange; one that is not there is removed already.
func (ch *channel) exchangeDelete(m *wire.ExchangeDelete) error {
	c := ch.c
	name := strip(m.Exchange)
	if err := notDefault(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, systemPrefix) {
		return refuse(codeAccessRefused, "deletion of system %s not allowed", exchangeIn(name, c.vhost))
	}
	if c.ns.Exchange(name) == nil {
		ch.answer(m.NoWait, &wire.ExchangeDeleteOk{})
		return nil
	}
	err := c.s.Broker.Committed(func(tx *core.Tx) error {
		x := c.ns.Exchange(name)
		if x == nil { // somebody else just did it
			return nil
		}
		if m.IfUnused && x.Bound() {
			return refuse(codePreconditionFailed, "%s in use", exchangeIn(name, c.vhost))
		}
		x.Delete(tx)
		return nil
	})
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.ExchangeDeleteOk{})
	return nil
}

func (ch *channel) exchangeBind(m *wire.ExchangeBind) error {
	b, err := ch.exchangeBinding(m.Source, m.Destination, m.RoutingKey, m.Arguments)
	if err == nil {
		err = ch.c.bind(b)
	}
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.ExchangeBindOk{})
	return nil
}

func (ch *channel) exchangeUnbind(m *wire.ExchangeUnbind) error {
	b, err := ch.exchangeBinding(m.Source, m.Destination, m.RoutingKey, m.Arguments)
	if err == nil && ch.c.ns.Exchange(b.Source) != nil && ch.c.ns.Exchange(b.Exchange) != nil {
		err = ch.c.unbind(b)
	}
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.ExchangeUnbindOk{})
	return nil
}

// exchangeBinding is the binding of one exchange to another.
func (ch *channel) exchangeBinding(source, destination, key string, args wire.Table) (core.Binding, error) {
	b := core.Binding{Source: strip(source), Exchange: strip(destination), Key: key}
	if err := notDefault(b.Exchange, b.Source); err != nil {
		return b, err
	}
	return b, ch.c.bindingArgs(&b, args)
}

// bindingArgs completes a binding by its arguments.
func (c *conn) bindingArgs(b *core.Binding, args wire.Table) (err error) {
	b.ArgsID, b.Doc = argsID(args), args
	if x := c.ns.Exchange(b.Source); x != nil && x.Config().Kind == core.Headers {
		b.Match, err = headerMatch(args)
	}
	return err
}

// bind adds a binding, durable if both of its ends are.
func (c *conn) bind(b core.Binding) error {
	return c.s.Broker.Committed(func(tx *core.Tx) error {
		x := c.ns.Exchange(b.Source)
		if x == nil {
			return refuse(codeNotFound, "no %s", exchangeIn(b.Source, c.vhost))
		}
		b.Durable = x.Config().Durable
		switch {
		case b.Queue != nil:
			b.Durable = b.Durable && b.Queue.Config().Durable
		case b.Stream == nil:
			to := c.ns.Exchange(b.Exchange)
			if to == nil {
				return refuse(codeNotFound, "no %s", exchangeIn(b.Exchange, c.vhost))
			}
			b.Durable = b.Durable && to.Config().Durable
		}
		return c.ns.Bind(tx, b)
	})
}

func (c *conn) unbind(b core.Binding) error {
	return c.s.Broker.Committed(func(tx *core.Tx) error {
		_, err := c.ns.Unbind(tx, b)
		if hasCode(err, core.NotFound) {
			return nil
		}
		return err
	})
}
