package amqp

import (
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

// unacked are a channel's deliveries, by tag. Settled ones in the middle stay as
// holes until they are half of all; so one that is never settled pins nothing but itself.
type unacked struct {
	list  []delivery
	holes int
}

// compactFrom is the number of entries below which holes do not matter.
const compactFrom = 64

func (u *unacked) push(d delivery) {
	if u.holes >= compactFrom && u.holes*2 >= len(u.list) {
		u.compact()
	}
	u.list = append(u.list, d)
}

func (u *unacked) compact() {
	u.list = slices.DeleteFunc(u.list, func(d delivery) bool { return d.settled })
	u.holes = 0
}

func (u *unacked) len() int { return len(u.list) - u.holes }

// find returns the index of tag, or -1.
func (u *unacked) find(tag uint64) int {
	if len(u.list) == 0 {
		return -1
	}
	// Without holes the place is known.
	if first := u.list[0].tag; tag >= first && tag-first < uint64(len(u.list)) && u.list[tag-first].tag == tag {
		return u.live(int(tag - first))
	}
	i, ok := slices.BinarySearchFunc(u.list, tag, func(d delivery, tag uint64) int {
		switch {
		case d.tag < tag:
			return -1
		case d.tag > tag:
			return 1
		}
		return 0
	})
	if !ok {
		return -1
	}
	return u.live(i)
}

func (u *unacked) live(i int) int {
	if u.list[i].settled {
		return -1
	}
	return i
}

// take settles one tag, or all up to it; tag 0 with multiple means all. It calls f for each in order, and
// reports whether there was such a tag.
func (u *unacked) take(tag uint64, multiple bool, f func(d *delivery)) bool {
	if multiple && tag == 0 {
		u.takeFirst(len(u.list), f)
		return true
	}
	i := u.find(tag)
	if i < 0 {
		return false
	}
	if multiple {
		u.takeFirst(i+1, f)
		return true
	}
	f(&u.list[i])
	u.list[i].settled = true
	u.holes++
	u.trim()
	return true
}

// takeFirst settles the first n entries.
func (u *unacked) takeFirst(n int, f func(d *delivery)) {
	for i := range u.list[:n] {
		if d := &u.list[i]; d.settled {
			u.holes--
		} else {
			f(d)
		}
	}
	u.list = slices.Delete(u.list, 0, n)
}

// trim drops the holes at the beginning, when they are enough to pay for the move.
func (u *unacked) trim() {
	n := 0
	for n < len(u.list) && u.list[n].settled {
		n++
	}
	if n == len(u.list) {
		clear(u.list)
		u.list, u.holes = u.list[:0], 0
	} else if n >= compactFrom && n*2 >= len(u.list) {
		u.list = slices.Delete(u.list, 0, n)
		u.holes -= n
	}
}

// oldest is when the first unsettled delivery went out; 0 if there is none.
func (u *unacked) oldest() int64 {
	for i := range u.list {
		if !u.list[i].settled {
			return u.list[i].at
		}
	}
	return 0
}

// restore puts deliveries back that were taken: those of a transaction that is rolled back.
func (u *unacked) restore(ds []delivery) {
	u.compact()
	u.list = append(u.list, ds...)
	slices.SortFunc(u.list, func(a, b delivery) int {
		if a.tag < b.tag {
			return -1
		}
		return 1
	})
}
