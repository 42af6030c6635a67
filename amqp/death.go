package amqp

import (
	"slices"
	"strconv"
	"time"

	"trivium/amqp/wire"
	"trivium/core"
)

// Headers of a message that was dead-lettered, as RabbitMQ 4.x writes them
// (mc:record_death, mc_amqpl:death_table).
const (
	headerDeath         = "x-death"
	headerFirstReason   = "x-first-death-reason"
	headerFirstQueue    = "x-first-death-queue"
	headerFirstExchange = "x-first-death-exchange"
	headerLastReason    = "x-last-death-reason"
	headerLastQueue     = "x-last-death-queue"
	headerLastExchange  = "x-last-death-exchange"
	headerCC            = "CC"
	headerBCC           = "BCC"
	reasonRejected      = "rejected"
	deathCount          = "count"
	deathReason         = "reason"
	deathQueue          = "queue"
	deathTime           = "time"
	deathExchange       = "exchange"
	deathKeys           = "routing-keys"
	deathOrigExpiration = "original-expiration"
)

var deathHeaders = []string{
	headerDeath, headerFirstReason, headerFirstQueue, headerFirstExchange, headerLastReason, headerLastQueue, headerLastExchange,
}

// DeadLettered records the death of e: newest first, one record per queue and reason with its count. A client's
// own x-death is not a record of ours and is replaced. The expiration is removed, so that the message
// does not die of it again, and kept in the record.
func (codec) DeadLettered(e *core.Entry, d core.Death) (dead core.Dead, err error) {
	var c content
	if err := c.open(e); err != nil {
		return dead, err
	}
	var p wire.Properties
	if err := p.Parse(c.props); err != nil {
		return dead, errEntry
	}
	keys := routingKeys(&c, &p)
	deaths := c.deaths(&p)
	record, rest := recordDeath(deaths, &c, &p, d, without(keys, appendKeys(nil, c.bcc)))
	extra := wire.Table(nil).Array(headerDeath, append(wire.Array(nil).Table(record), rest...))
	exchange := string(c.exchange)
	first := [3]string{d.Reason, d.Queue, exchange}
	if c.died {
		for i, name := range []string{headerFirstReason, headerFirstQueue, headerFirstExchange} {
			if v, ok := p.Headers.Lookup(name); ok {
				b, _ := v.Text()
				first[i] = string(b)
			}
		}
	}
	extra = extra.Str(headerFirstReason, first[0]).Str(headerFirstQueue, first[1]).Str(headerFirstExchange, first[2]).
		Str(headerLastReason, d.Reason).Str(headerLastQueue, d.Queue).Str(headerLastExchange, exchange)
	props, err := appendProps(nil, c.props, extra, true, deathHeaders...)
	if err != nil {
		return dead, errEntry
	}
	flags := byte(entryDied)
	if c.oneKey || d.HasKey {
		flags |= entryOneKey
	}
	if d.HasKey {
		keys = []string{d.Key}
	}
	data := appendContentHead(make([]byte, 0, len(e.Data)+len(props)-len(c.props)+64), flags, []byte(d.Exchange), nil, c.bcc, props)
	data = append(data, c.body...)
	h := &headerSource{}
	if err := p.Parse(props); err == nil {
		h.headers, h.messageID = p.Headers, p.MessageID
	}
	return core.Dead{
		Data: data, Keys: keys, Headers: h,
		Cycles: func(queue string) bool { return d.Reason != reasonRejected && deathCycle(p.Headers, queue) },
	}, nil
}

// Adopt makes an entry of this door of another one's message: as a consumer here would see it.
func (codec) Adopt(e *core.Entry, m *core.Message) []byte {
	f := translate(m)
	flags := byte(0)
	if string(f.key) != string(e.Key) {
		flags = entryOwnKey
	}
	data := appendContentHead(make([]byte, 0, len(f.props)+len(f.body)+64), flags, []byte(core.SubjectExchange), f.key, nil, f.props)
	return append(data, f.body...)
}

var _ core.Adopter = codec{}

// deaths are the records of earlier deaths, newest first.
func (c *content) deaths(p *wire.Properties) wire.Array {
	if !c.died {
		return nil
	}
	v, _ := p.Headers.Lookup(headerDeath)
	a, _ := v.Array()
	return a
}

// recordDeath makes the record of d, and gives the other ones.
func recordDeath(deaths wire.Array, c *content, p *wire.Properties, d core.Death, keys []string) (record wire.Table, rest wire.Array) {
	deaths.Each(func(v wire.Value) bool {
		t, _ := v.Table()
		if record == nil && textField(t, deathQueue) == d.Queue && textField(t, deathReason) == d.Reason {
			t.Each(func(name []byte, v wire.Value) bool {
				if n, ok := v.Int(); ok && string(name) == deathCount {
					record = record.Int(deathCount, n+1)
				} else {
					record = record.Field(string(name), v)
				}
				return true
			})
			return true
		}
		rest = rest.Element(v)
		return true
	})
	if record != nil {
		return record, rest
	}
	if p.Flags&wire.HasExpiration != 0 {
		record = record.Str(deathOrigExpiration, string(p.Expiration))
	}
	var list wire.Array
	for _, k := range keys {
		list = list.Str([]byte(k))
	}
	return record.Int(deathCount, 1).
		Str(deathReason, d.Reason).
		Str(deathQueue, d.Queue).
		Time(deathTime, uint64(d.Time/int64(time.Second))).
		Str(deathExchange, string(c.exchange)).
		Array(deathKeys, list), rest
}

// deathCycle reports whether a message with these headers must not go to queue, because it died there before
// and nobody rejected it since: it would go round for ever.
func deathCycle(headers wire.Table, queue string) (cycle bool) {
	v, _ := headers.Lookup(headerDeath)
	a, _ := v.Array()
	a.Each(func(v wire.Value) bool {
		t, _ := v.Table()
		if textField(t, deathReason) == reasonRejected {
			return false
		}
		cycle = textField(t, deathQueue) == queue
		return !cycle
	})
	return cycle
}

func textField(t wire.Table, name string) string {
	v, _ := t.Lookup(name)
	b, _ := v.Text()
	return string(b)
}

// routingKeys are the key a message was published with and those of its headers CC and BCC.
func routingKeys(c *content, p *wire.Properties) []string {
	keys := []string{string(c.key)}
	if c.oneKey {
		return keys
	}
	cc, _ := copies(p.Headers, headerCC)
	return appendKeys(appendKeys(keys, cc), c.bcc)
}

// without is keys but for one of each of drop: a record of a death does not tell blind copies.
func without(keys, drop []string) []string {
	keys = slices.Clone(keys)
	for _, k := range drop {
		if i := slices.Index(keys, k); i >= 0 {
			keys = slices.Delete(keys, i, i+1)
		}
	}
	return keys
}

// maxExpiry is the longest time to live: ten years.
const maxExpiry = 10 * 365 * 24 * time.Hour

// parseExpiration reads the expiration property: milliseconds as text.
func parseExpiration(s []byte) (time.Duration, error) {
	n, err := strconv.ParseUint(string(s), 10, 63)
	if err != nil {
		return 0, err
	}
	if n > uint64(maxExpiry.Milliseconds()) {
		return 0, strconv.ErrRange
	}
	return time.Duration(n) * time.Millisecond, nil
}
