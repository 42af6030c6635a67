package core

// weigh is what a message of e counts towards its queue's MaxBytes, 0 if it has none: the
// length of its body. Of several messages in one entry each counts alike.
func (c *Cursor) weigh(e *Entry) int32 {
	if c.s.queue == nil || !c.s.queue.config().HasMaxBytes {
		return 0
	}
	n := len(e.Data)
	if w, ok := c.s.b.Codec(e.Format).(Weigher); ok {
		n = w.BodyLen(e)
	}
	return int32(n / int(max(e.Count, 1)))
}

// unweighed is what a queue with MaxBytes held before the restart: all below end. As long as it is
// not weighed, all its bytes stand for it in mu.ready.
type unweighed struct {
	end   Offset
	bytes int64
	epoch uint64
}

// weighStored weighs what was there before the restart. The weight is not kept, as that would cost
// every message something; few queues have MaxBytes, which also bounds what is read here.
func (c *Cursor) weighStored() {
	u := c.unweighed
	c.unweighed = nil
	weight := int64(0)
	for o := c.p.log.Start(); o < u.end; {
		es, next, err := c.p.log.Read(o, Limit{Entries: readAheadEntries, Bytes: readAheadBytes}, nil)
		if err != nil {
			c.failed(err)
		}
		for i := range es {
			e := &es[i]
			for x := max(e.Offset, o); x < min(e.Next(), u.end); x++ {
				if e.Count == 1 || c.p.log.Live(x) {
					weight += int64(c.weigh(e))
				}
			}
		}
		if next <= o {
			break
		}
		o = next
	}
	c.lock()
	if c.mu.epoch == u.epoch { // else it was purged, weight and all
		c.mu.ready += weight - u.bytes
	}
	c.unlock()
}
