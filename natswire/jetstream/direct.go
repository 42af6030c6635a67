package jetstream

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
	"trivium/natswire/wire"
)

// maxMulti is the most subjects that one multi get may match.
const maxMulti = 1024

// directGet takes DIRECT.GET.S and DIRECT.GET.S.<subject> on the goroutine that reads the
// connection (nats-server 2.15.2, stream.go processDirectGetRequest). A stream that does not
// allow it does not respond.
func (a *account) directGet(m *wire.Msg) bool {
	name, key, _ := bytes.Cut(m.Subject[len(directPrefix):], []byte{'.'})
	s := a.stream(string(name))
	if s == nil || !s.config().AllowDirect {
		return false
	}
	if len(m.Reply) == 0 {
		return true
	}
	if tooNew(m.Header) {
		a.status(m.Reply, "412 Required Api Level")
		return true
	}
	var req server.JSApiMsgGetRequest
	if len(m.Payload) > 0 && json.Unmarshal(m.Payload, &req) != nil {
		a.status(m.Reply, "408 Malformed Request")
		return true
	}
	if bad := directRequest(&req, string(key), len(m.Payload) == 0); bad != "" {
		a.status(m.Reply, bad)
		return true
	}
	out := a.senders.Get().(Sender)
	d := direct{s: s, req: &req, reply: m.Reply, out: out, limit: req.MaxBytes}
	if d.limit <= 0 {
		d.limit = a.e.maxPending
	}
	switch {
	case len(req.MultiLastFor) > 0:
		d.multi()
	case req.Batch > 0:
		d.batch()
	default:
		d.one()
	}
	out.Flush()
	a.senders.Put(out)
	return true
}

// directRequest completes a request, or says which status refuses it.
func directRequest(r *server.JSApiMsgGetRequest, key string, empty bool) string {
	last, next, multi, timed := r.LastFor != "", r.NextFor != "", len(r.MultiLastFor) > 0, r.StartTime != nil
	if key != "" {
		if last || next || multi || timed || r.Seq != 0 || r.Batch != 0 || r.UpToSeq != 0 || r.UpToTime != nil {
			return "408 Bad Request"
		}
		r.LastFor = key
		return ""
	}
	switch {
	case empty, r.Seq == 0 && !last && !next && !multi && !timed:
		return "408 Empty Request"
	case r.Seq > 0 && (last || timed), last && (timed || next || multi || r.Batch > 0), next && multi,
		r.UpToSeq > 0 && r.UpToTime != nil:
		return "408 Bad Request"
	}
	return ""
}

// direct is one direct get being answered.
type direct struct {
	s     *stream
	req   *server.JSApiMsgGetRequest
	reply []byte
	out   Sender
	limit int // bytes
	sent  int // bytes
	buf   []byte
	last  uint64 // sequence of the last message sent
}

func (d *direct) status(line string) {
	d.out.Send(nil, &wire.Msg{Subject: d.reply, Header: wire.Header(wire.HeaderLine + " " + line + "\r\n\r\n")})
}

// send answers with one message; batched answers say how many are pending.
func (d *direct) send(m *message, batched bool, pending uint64) {
	h := wire.Header(nil)
	if !d.req.NoHeaders || len(d.req.MultiLastFor) > 0 {
		b := d.buf[:0]
		if len(m.Header) > 2 {
			b = append(b, m.Header[:len(m.Header)-2]...)
		} else {
			b = wire.AppendHeader(b, "", "")
		}
		b = wire.AppendField(b, server.JSStream, []byte(d.s.name))
		b = wire.AppendField(b, server.JSSubject, m.Subject)
		b = appendUintField(b, server.JSSequence, m.seq)
		b = append(b, server.JSTimeStamp+": "...)
		b = append(at(m.time).AppendFormat(b, time.RFC3339Nano), "\r\n"...)
		if batched {
			b = appendUintField(b, server.JSNumPending, pending)
			b = appendUintField(b, server.JSLastSequence, d.last)
		}
		d.buf = wire.EndHeader(b)
		h = d.buf
	}
	d.last = m.seq
	d.sent += len(m.Subject) + m.Size()
	d.out.Send(nil, &wire.Msg{Subject: d.reply, Header: h, Payload: m.Payload})
}

func appendUintField(dst []byte, name string, n uint64) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(strconv.AppendUint(dst, n, 10), "\r\n"...)
}

// end closes a batch.
func (d *direct) end(pending uint64, upTo uint64, multi bool) {
	h := appendUintField(wire.AppendHeader(nil, "204", "EOB"), server.JSNumPending, pending)
	h = appendUintField(h, server.JSLastSequence, d.last)
	if multi {
		h = appendUintField(h, server.JSUpToSequence, upTo)
	}
	d.out.Send(nil, &wire.Msg{Subject: d.reply, Header: wire.EndHeader(h)})
}

func (d *direct) one() {
	m, err := d.s.lookup(d.req)
	if err != nil {
		d.status("404 Message Not Found")
		return
	}
	d.send(m, false, 0)
}

// from is the sequence to start at.
func (d *direct) from() (uint64, error) {
	if d.req.StartTime == nil {
		return d.req.Seq, nil
	}
	o, err := d.s.log.OffsetAt(d.req.StartTime.UnixNano())
	return seqOf(o), err
}

// pending counts the messages at or after seq that match.
func (d *direct) pending(seq uint64) uint64 {
	var patterns []string
	if f := d.req.NextFor; f != "" && f != ">" {
		patterns = []string{f}
	}
	from := max(offsetOf(seq), 0)
	if d.s.view != nil {
		return uint64(max(d.s.log.End()-max(from, d.s.log.Start()), 0))
	}
	n, err := d.s.core.CountByKey(patterns, from)
	if err != nil {
		return 0
	}
	return uint64(n)
}

// batch sends the messages from a sequence or time on.
func (d *direct) batch() {
	seq, err := d.from()
	if err != nil {
		d.status("404 Message Not Found")
		return
	}
	pattern := d.req.NextFor
	if pattern == "" {
		pattern = ">"
	}
	pending := d.pending(seq)
	through := d.s.last()
	for i := 0; i < d.req.Batch && d.sent < d.limit; i++ {
		m, err := d.s.next(pattern, seq)
		if err != nil {
			if i == 0 {
				d.status("404 Message Not Found")
				return
			}
			break
		}
		seq = m.seq + 1
		pending -= min(pending, 1)
		d.send(m, true, pending)
	}
	if d.s.last() > through {
		pending = d.pending(seq)
	}
	d.end(pending, 0, false)
}

// multi sends the last message of each subject that matches, in sequence order, up to a
// sequence or time.
func (d *direct) multi() {
	upTo := d.req.UpToSeq
	if t := d.req.UpToTime; t != nil {
		o, err := d.s.log.OffsetAt(t.UnixNano())
		if err != nil || o <= d.s.log.Start() {
			d.status("404 No Results")
			return
		}
		upTo = uint64(o)
	}
	if upTo == 0 {
		upTo = d.s.last()
	}
	last, ok := d.lasts(upTo)
	if !ok {
		d.status("413 Too Many Results")
		return
	}
	if len(last) == 0 {
		d.status("404 No Results")
		return
	}
	batch := d.req.Batch
	if batch <= 0 {
		batch = math.MaxInt
	}
	for i, o := range last {
		m, err := d.s.stored(o)
		if err != nil {
			d.status("404 Message Not Found")
			return
		}
		pending := uint64(len(last) - i - 1)
		d.send(m, true, pending)
		if d.sent >= d.limit || i+1 >= batch {
			last = last[i+1:]
			d.end(uint64(len(last)), upTo, true)
			return
		}
	}
	d.end(0, upTo, true)
}

// lasts are the offsets of the last messages up to a sequence; false if they are too many.
func (d *direct) lasts(upTo uint64) (last []core.Offset, ok bool) {
	s, from, end := d.s, offsetOf(max(d.req.Seq, 1)), offsetOf(upTo)
	seen := map[string]bool{}
	for _, pattern := range d.req.MultiLastFor {
		s.core.Keys(pattern, end+1, func(key []byte, k core.KeyState) bool {
			if seen[string(key)] {
				return true
			}
			seen[string(key)] = true
			if k.Last >= from {
				last = append(last, k.Last)
			}
			return len(last) <= maxMulti
		})
	}
	slices.Sort(last)
	return last, len(last) <= maxMulti
}
