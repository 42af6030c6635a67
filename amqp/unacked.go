package amqp

import (
	"cmp"
	"slices"

	"trivium/core"
)

// delivery is a message that a client has and did not settle.
type delivery struct {
	tag      uint64
	offset   core.Offset
	cursor   *core.Cursor
	consumer *consumer // nil: it came by basic.get
	at       int64     // when it was delivered, unix nanoseconds
	settled  bool
}

// kind is what becomes of d if it is settled so. A stream's messages stay: whatever is said gives credit only.
func (d *delivery) kind(k opKind) opKind {
	if d.consumer != nil && d.consumer.stream != nil {
		return opSettle
	}
	return k
}

// unacked are a channel's deliveries, by tag. Settled ones stay as holes until they are half of all; so one that
// is never settled pins nothing but itself, and settling in any order costs a search.
type unacked struct {
	list  []delivery // what is before head is settled; what is at head is not
	head  int
	holes int // settled ones after head
}

// keepUnacked is the number of entries that are kept room for when nothing is unsettled.
const keepUnacked = 1024

func (u *unacked) push(d delivery) {
	if n := len(u.list); n == cap(u.list) && (u.head+u.holes)*2 > n {
		u.compact()
	}
	u.list = append(u.list, d)
}

// compact drops what is settled, and room that is far too much for the rest.
func (u *unacked) compact() {
	live := u.all()
	to := u.list[:0]
	if len(u.list) > keepUnacked && u.len()*8 < len(u.list) {
		to = make([]delivery, 0, u.len()*2)
	}
	for i := range live {
		if !live[i].settled {
			to = append(to, live[i])
		}
	}
	clear(u.list[min(len(to), len(u.list)):])
	u.list, u.head, u.holes = to, 0, 0
}

// all are the deliveries from the first unsettled one on.
func (u *unacked) all() []delivery { return u.list[u.head:] }

func (u *unacked) len() int { return len(u.list) - u.head - u.holes }

// find returns the index of tag, or -1.
func (u *unacked) find(tag uint64) int {
	all := u.all()
	if len(all) == 0 {
		return -1
	}
	// Without holes that were dropped the place is known.
	i := int(tag - all[0].tag)
	if tag < all[0].tag || i >= len(all) || all[i].tag != tag {
		var ok bool
		i, ok = slices.BinarySearchFunc(all, tag, func(d delivery, tag uint64) int { return cmp.Compare(d.tag, tag) })
		if !ok {
			return -1
		}
	}
	if all[i].settled {
		return -1
	}
	return u.head + i
}

// take settles one tag, or all up to it; tag 0 with multiple means all. It calls f for each in order, and
// reports whether there was such a tag.
func (u *unacked) take(tag uint64, multiple bool, f func(d *delivery)) bool {
	last := len(u.list) - 1
	if !multiple || tag != 0 {
		if last = u.find(tag); last < 0 {
			return false
		}
	}
	first := last
	if multiple {
		first = u.head
	}
	for i := first; i <= last; i++ {
		if d := &u.list[i]; !d.settled {
			f(d)
			*d = delivery{tag: d.tag, settled: true}
			u.holes++
		}
	}
	u.advance()
	return true
}

// advance moves head to the first unsettled delivery.
func (u *unacked) advance() {
	for u.head < len(u.list) && u.list[u.head].settled {
		u.head++
		u.holes--
	}
	if u.head < len(u.list) {
		return
	}
	u.list, u.head = u.list[:0], 0
	if cap(u.list) > keepUnacked {
		u.list = nil
	}
}

// oldest is when the first unsettled delivery went out; 0 if there is none.
func (u *unacked) oldest() int64 {
	if all := u.all(); len(all) > 0 {
		return all[0].at
	}
	return 0
}

// restore puts deliveries back that were taken: those of a transaction that is rolled back.
func (u *unacked) restore(ds []delivery) {
	u.compact()
	u.list = append(u.list, ds...)
	slices.SortFunc(u.list, func(a, b delivery) int { return cmp.Compare(a.tag, b.tag) })
}
