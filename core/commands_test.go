package core

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

func (h *harness) cmdQueue(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		c := QueueConfig{
			Realm: defaultRealm, Name: n, Durable: !a.flag("transient"), AutoDelete: a.flag("autodelete"),
			TTL: a.ms("ttl"), HasTTL: a.has("ttl"), ExpiresAfter: a.ms("expires"),
			MaxMessages: a.int("max", 0), HasMaxMessages: a.has("max"),
			MaxBytes: a.int("maxbytes", 0), HasMaxBytes: a.has("maxbytes"),
			DeadLetter: "", HasDeadLetter: a.has("dlk"), DeadLetterKey: a.opts["dlk"], HasDeadLetterKey: a.has("dlk"),
			Priorities: int(a.int("levels", 0)), MaxAttempts: int(a.int("attempts", 0)),
			SingleActive: a.flag("sac"), ReturnFirst: a.flag("returnfirst"), Weighted: a.flag("weighted"),
			DeadLetterRejected: a.flag("dlreject"),
		}
		if a.flag("reject") {
			c.Overflow = RejectNew
		}
		_, err := h.ns.CreateQueue(tx, c)
		if err == nil {
			h.queues = append(h.queues, c.Name)
		}
		return err
	})
}

func (h *harness) cmdPublish(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		var failed error
		for _, w := range a.words {
			if w == "volatile" {
				continue
			}
			body, prio, _ := strings.Cut(w, ":")
			e := Entry{Key: []byte(n), Data: []byte(body), Volatile: a.flag("volatile")}
			if prio != "" {
				fmt.Sscan(prio, &e.Priority)
			}
			if a.has("ttl") {
				e.Time = tx.Now()
				e.Expires = tx.Now() + int64(a.ms("ttl"))
			}
			failed = errors.Join(failed, h.ns.Queue(defaultRealm, n).Append(tx, &e))
		}
		return failed
	})
}

func streamConfig(n string, a args) StreamConfig {
	c := StreamConfig{
		Realm: defaultRealm, Name: n, Partitions: int(a.int("partitions", 1)), Volatile: a.flag("memory"),
		MaxMessages: a.int("max", 0), MaxBytes: a.int("maxbytes", 0), MaxMessagesPerKey: a.int("perkey", 0),
		MaxMessageSize: a.int("maxsize", 0), MaxAge: a.ms("age"), DedupWindow: a.ms("dedup"), KeyIndex: !a.flag("noindex"),
		Expiring: a.flag("expiring"), OverflowPerKey: a.flag("rejectperkey"), First: Offset(a.int("first", 0)),
	}
	if a.flag("compact") {
		c.Compact = Compaction{On: true, MinAge: a.ms("minage"), Dirty: 0.5, MaxAge: a.ms("maxage"), TombstoneAge: a.ms("tombstoneage")}
	}
	if a.flag("reject") || a.flag("rejectperkey") {
		c.Overflow = RejectNew
	}
	switch a.opts["retention"] {
	case "work":
		c.Retention = KeepWork
	case "interest":
		c.Retention = KeepInterest
	}
	return c
}

func (h *harness) cmdStream(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		_, err := h.ns.CreateStream(tx, streamConfig(n, a))
		return err
	})
}

func (h *harness) cmdUpdate(n string, a args) error {
	return h.tx(func(tx *Tx) error { return h.ns.Stream(defaultRealm, n).Update(tx, streamConfig(n, a)) })
}

// append stream key:body… [id=] [last=] [keylast=] [pid= epoch= seq=]
func (h *harness) cmdAppend(n string, a args) error {
	s := h.ns.Stream(defaultRealm, n)
	return h.tx(func(tx *Tx) error {
		for _, w := range a.words {
			k, body, ok := strings.Cut(w, ":")
			if !ok {
				continue // a flag
			}
			e := Entry{Key: []byte(k), Data: []byte(body), ID: []byte(a.opts["id"])}
			if a.flag("never") {
				e.Expires = NeverExpires
			} else if a.has("ttl") {
				e.Expires = tx.Now() + int64(a.ms("ttl"))
			}
			if a.has("pid") {
				e.Count = int32(a.int("count", 1))
				first := int32(a.int("seq", 0))
				e.Producer = Producer{Set: true, ID: a.int("pid", 0), Epoch: int16(a.int("epoch", 0)), First: first, Last: first + e.Count - 1}
			}
			x := Expect{HasLast: a.has("last"), Last: Offset(a.int("last", 0)), HasKeyLast: a.has("keylast"),
				KeyLast: Offset(a.int("keylast", 0)), KeyPattern: a.opts["pattern"]}
			if a.has("lastid") {
				x.LastID = []byte(a.opts["lastid"])
			}
			o, err := s.Append(tx, int(a.int("partition", 0)), &e, &x)
			if err != nil {
				return err
			}
			fmt.Fprintf(h.out, "%d ", o)
		}
		fmt.Fprintln(h.out)
		return nil
	})
}

func cursorConfig(n string, a args) CursorConfig {
	c := CursorConfig{
		Name: n, Durable: !a.flag("ephemeral"), AckWait: a.ms("ackwait"), MaxAttempts: int(a.int("attempts", 0)),
		MaxInFlight: int(a.int("maxinflight", 0)), InactiveAfter: a.ms("inactive"),
	}
	if f := a.opts["filter"]; f != "" {
		c.Filters = strings.Split(f, ",")
	}
	if b := a.opts["backoff"]; b != "" {
		for _, ms := range strings.Split(b, ",") {
			d, _ := time.ParseDuration(ms + "ms")
			c.Backoff = append(c.Backoff, d)
		}
	}
	switch a.opts["start"] {
	case "last":
		c.Start = StartLast
	case "new":
		c.Start = StartNext
	case "lastperkey":
		c.Start = StartLastPerKey
	case "":
	default:
		c.Start, c.StartOffset = StartOffset, Offset(a.int("start", 0))
	}
	switch a.opts["ack"] {
	case "none":
		c.Ack = AckNone
	case "upto":
		c.Ack = AckUpTo
	}
	return c
}

func (h *harness) cmdCursor(n string, a args) error {
	s, c, _ := strings.Cut(n, "/")
	return h.tx(func(tx *Tx) error {
		cfg := cursorConfig(c, a)
		if a.has("pause") {
			cfg.PausedUntil = tx.Now() + int64(a.ms("pause"))
		}
		if a.flag("update") {
			return h.ns.Stream(defaultRealm, s).Cursor(c).Update(tx, cfg)
		}
		_, err := h.ns.Stream(defaultRealm, s).CreateCursor(tx, cfg, h)
		return err
	})
}

func (h *harness) cmdSub(n string, a args) error {
	r := &recorder{h: h, name: n}
	o := SubscribeOptions{
		Priority: int(a.int("prio", 0)), Exclusive: a.flag("exclusive"), AutoAck: a.flag("auto"),
		Credit: int(a.int("credit", -1)), CreditBytes: int(a.int("bytes", 0)),
	}
	if a.has("window") {
		o.Windows = append(o.Windows, NewWindow(int(a.int("window", 0))))
	}
	if w := a.opts["share"]; w != "" {
		o.Windows = append(o.Windows, h.subs[w].windows...)
	}
	r.windows = o.Windows
	s, err := h.cursor(a.words[0]).Subscribe(o, r)
	if err != nil {
		return err
	}
	r.s = s
	h.subs[n] = r
	return nil
}

func (h *harness) cmdUnsub(n string, a args) error {
	h.subs[n].s.Close()
	delete(h.subs, n)
	return nil
}

func (h *harness) cmdCredit(n string, a args) error {
	if a.has("set") {
		h.subs[n].s.SetCredit(int(a.int("set", 0)), int(a.int("bytes", 0)))
		return nil
	}
	h.subs[n].s.AddCredit(int(a.int("add", 0)))
	return nil
}

func (h *harness) cmdGet(n string, a args) error {
	d, err := h.cursor(n).Fetch(a.flag("auto"))
	switch {
	case err != nil:
		return err
	case d == nil:
		fmt.Fprintln(h.out, "empty")
	default:
		fmt.Fprintf(h.out, "got %d %s redelivered=%v pending=%d\n", d.Offset, d.Entry.Data, d.Redelivered, d.Pending)
	}
	return nil
}

func (h *harness) cmdAck(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		if got := h.cursor(n).Settle(tx, a.offsets()...); got != len(a.offsets()) {
			fmt.Fprintf(h.out, "settled %d\n", got)
		}
		return nil
	})
}

func (h *harness) cmdReturn(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		if got := h.cursor(n).Return(tx, a.ms("delay"), !a.flag("uncounted"), a.offsets()...); got != len(a.offsets()) {
			fmt.Fprintf(h.out, "returned %d\n", got)
		}
		return nil
	})
}

func (h *harness) cmdReject(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		if got := h.cursor(n).Discard(tx, Rejected, a.offsets()...); got != len(a.offsets()) {
			fmt.Fprintf(h.out, "discarded %d\n", got)
		}
		return nil
	})
}

func (h *harness) cmdExtend(n string, a args) error {
	h.cursor(n).Extend(a.offsets()...)
	return nil
}

func (h *harness) cmdSeek(n string, a args) error {
	return h.tx(func(tx *Tx) error { h.cursor(n).Seek(tx, a.offsets()[0]); return nil })
}

// purge queue, or purge stream [pattern=] [before=] [keep=]
func (h *harness) cmdPurge(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		if q := h.ns.Queue(defaultRealm, n); q != nil {
			fmt.Fprintf(h.out, "purged %d\n", q.Purge(tx))
			return nil
		}
		got, err := h.ns.Stream(defaultRealm, n).Purge(tx, a.opts["pattern"], Offset(a.int("before", -1)), a.int("keep", 0))
		fmt.Fprintf(h.out, "purged %d\n", got)
		return err
	})
}

func (h *harness) cmdDelete(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		if strings.Contains(n, "/") {
			h.cursor(n).Delete(tx)
		} else if q := h.ns.Queue(defaultRealm, n); q != nil {
			fmt.Fprintf(h.out, "deleted, %d ready\n", q.Delete(tx))
		} else {
			h.ns.Stream(defaultRealm, n).Delete(tx)
		}
		return nil
	})
}

func (h *harness) cmdRemove(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		for _, o := range a.offsets() {
			fmt.Fprintf(h.out, "%v ", h.ns.Stream(defaultRealm, n).Remove(tx, 0, o))
		}
		fmt.Fprintln(h.out)
		return nil
	})
}

func (h *harness) cmdRollup(n string, a args) error {
	return h.tx(func(tx *Tx) error {
		h.ns.Stream(defaultRealm, n).Rollup(tx, 0, a.offsets()[0], a.flag("samekey"))
		return nil
	})
}

func (h *harness) cmdState(n string, a args) error {
	if q := h.ns.Queue(defaultRealm, n); q != nil {
		fmt.Fprintf(h.out, "ready=%d unsettled=%d subscribers=%d\n", q.Ready(), q.Unsettled(), q.Subscribers())
		return nil
	}
	if !strings.Contains(n, "/") {
		if h.ns.Stream(defaultRealm, n) == nil {
			fmt.Fprintln(h.out, "none")
			return nil
		}
	}
	c := h.cursor(n)
	if c == nil {
		fmt.Fprintln(h.out, "none")
		return nil
	}
	st := c.State()
	fmt.Fprintf(h.out, "floor=%d/%d delivered=%d/%d inflight=%d redelivering=%d pending=%d\n", st.Floor, st.FloorDeliveries,
		st.LastDelivered, st.Deliveries, st.InFlight, st.Redelivering, st.Pending)
	return nil
}

func (h *harness) cmdLog(n string, a args) error {
	var l *Log
	if q := h.ns.Queue(defaultRealm, n); q != nil {
		l = q.Log()
	} else {
		l = h.ns.Stream(defaultRealm, n).Log(0)
	}
	es, _, err := l.Read(0, Limit{}, nil)
	for _, e := range es {
		fmt.Fprintf(h.out, "%d:%s ", e.Offset, e.Data)
	}
	fmt.Fprintf(h.out, "messages=%d\n", l.Messages())
	return err
}

func (h *harness) cmdKeys(n string, a args) error {
	var names []string
	var states []KeyState
	h.ns.Stream(defaultRealm, n).Keys(a.opts["pattern"], maxOffset, func(k []byte, st KeyState) bool {
		names, states = append(names, string(k)), append(states, st)
		return true
	})
	for i, k := range names {
		first := h.ns.Stream(defaultRealm, n).partition(0).keys.first([]byte(k))
		fmt.Fprintf(h.out, "%s: first=%d last=%d n=%d\n", k, first, states[i].Last, states[i].Messages)
	}
	return nil
}

func (h *harness) cmdCount(n string, a args) error {
	var ps []string
	if p := a.opts["pattern"]; p != "" {
		ps = strings.Split(p, ",")
	}
	c, err := h.ns.Stream(defaultRealm, n).CountByKey(ps, Offset(a.int("from", 0)))
	fmt.Fprintln(h.out, c)
	return err
}

func (h *harness) cmdNext(n string, a args) error {
	o, err := h.ns.Stream(defaultRealm, n).NextByKey(a.opts["pattern"], Offset(a.int("from", 0)))
	fmt.Fprintln(h.out, o)
	return err
}

func (h *harness) cmdAdvance(ms string, a args) error {
	d, err := time.ParseDuration(ms + "ms")
	h.now.Add(int64(d))
	h.b.timers.fire()
	return err
}

// cmdKeep makes a checkpoint.
func (h *harness) cmdKeep(string, args) error { return h.store.Checkpoint() }

func (h *harness) cmdRestart(string, args) error {
	h.close()
	clear(h.subs)
	h.open()
	h.ns.Streams(func(s *Stream) bool {
		s.Cursors(func(c *Cursor) bool { c.SetEvents(h); return true })
		return true
	})
	return nil
}

func (h *harness) cmdProducer(n string, a args) error {
	tx := h.b.Begin()
	epoch, last, ok := h.ns.Stream(defaultRealm, n).ProducerState(0, a.int("pid", 0))
	tx.Commit()
	fmt.Fprintf(h.out, "epoch=%d last=%d known=%v\n", epoch, last, ok)
	return nil
}
