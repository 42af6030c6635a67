package jetstream

import (
	"encoding/json"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nuid"

	"trivium/natswire/wire"
)

// Advisories are JSON events that tell what happened; they are made only when
// somebody listens.

func event(typ string) server.TypedEvent {
	return server.TypedEvent{Type: typ, ID: nuid.Next(), Time: now()}
}

// advise publishes what make returns on subject, if anybody is interested.
func (a *account) advise(subject string, make func() any) {
	if !a.wanted(subject) {
		return
	}
	body, err := json.Marshal(make())
	if err != nil {
		a.e.log.Error("advisory", "subject", subject, "err", err)
		return
	}
	a.send(&wire.Msg{Subject: []byte(subject), Payload: body})
}

// adviseLater is advise where locks are held or a Tx is open.
func (a *account) adviseLater(subject string, make func() any) {
	a.later(func() { a.advise(subject, make) })
}

func (a *account) adviseStream(prefix, name string, action server.ActionAdvisoryType) {
	a.advise(prefix+"."+name, func() any {
		return &server.JSStreamActionAdvisory{
			TypedEvent: event(server.JSStreamActionAdvisoryType), Stream: name, Action: action,
		}
	})
}

func (a *account) adviseConsumer(prefix string, c *consumer, action server.ActionAdvisoryType) {
	a.advise(prefix+"."+c.key, func() any {
		return &server.JSConsumerActionAdvisory{
			TypedEvent: event(server.JSConsumerActionAdvisoryType),
			Stream:     c.stream.name, Consumer: c.name, Action: action,
		}
	})
}

func (c *consumer) advisePause(until *time.Time) {
	c.a.advise(server.JSAdvisoryConsumerPausePre+"."+c.key, func() any {
		adv := &server.JSConsumerPauseAdvisory{
			TypedEvent: event(server.JSConsumerPauseAdvisoryType), Stream: c.stream.name, Consumer: c.name,
		}
		if until != nil {
			adv.PauseUntil, adv.Paused = *until, time.Now().Before(*until)
		}
		return adv
	})
}

func (c *consumer) adviseExceeded(seq, deliveries uint64) {
	c.a.advise(server.JSAdvisoryConsumerMaxDeliveryExceedPre+"."+c.key, func() any {
		return &server.JSConsumerDeliveryExceededAdvisory{
			TypedEvent: event(server.JSConsumerDeliveryExceededAdvisoryType),
			Stream:     c.stream.name, Consumer: c.name, StreamSeq: seq, Deliveries: deliveries,
		}
	})
}

func (c *consumer) adviseNak(n ackInfo) {
	c.a.advise(server.JSAdvisoryConsumerMsgNakPre+"."+c.key, func() any {
		return &server.JSConsumerDeliveryNakAdvisory{
			TypedEvent: event(server.JSConsumerDeliveryNakAdvisoryType),
			Stream:     c.stream.name, Consumer: c.name,
			ConsumerSeq: n.consumerSeq, StreamSeq: n.streamSeq, Deliveries: n.delivered,
		}
	})
}

func (c *consumer) adviseTerm(n ackInfo, reason string) {
	c.a.advise(server.JSAdvisoryConsumerMsgTerminatedPre+"."+c.key, func() any {
		return &server.JSConsumerDeliveryTerminatedAdvisory{
			TypedEvent: event(server.JSConsumerDeliveryTerminatedAdvisoryType),
			Stream:     c.stream.name, Consumer: c.name,
			ConsumerSeq: n.consumerSeq, StreamSeq: n.streamSeq, Deliveries: n.delivered, Reason: reason,
		}
	})
}

// audit tells about an API request and its answer.
func (a *account) audit(r *request, answer []byte) {
	a.advise(server.JSAuditAdvisory, func() any {
		ci := &server.ClientInfo{Account: AccountName(a.ns)}
		if c := r.client; c != nil {
			start := at(c.Start)
			ci = &server.ClientInfo{
				Start: &start, Host: c.Host, ID: c.ID, Account: c.Account, User: c.User, Name: c.Name,
				Lang: c.Lang, Version: c.Version, Server: a.e.name, Kind: "Client", ClientType: c.Kind,
			}
		}
		return &server.JSAPIAudit{
			TypedEvent: event(server.JSAPIAuditType), Server: a.e.name, Client: ci,
			Subject: string(r.msg.Subject), Request: string(r.msg.Payload), Response: string(answer),
		}
	})
}
