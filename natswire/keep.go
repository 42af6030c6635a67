package natswire

import (
	"sync"

	"trivium/core"
	"trivium/natswire/wire"
)

// keepMax bounds the server's own messages that wait to be stored; what comes on top
// is not.
const keepMax = 16 << 10

// keeper stores what the server itself published to subjects that streams or queues
// want, advisories for example. A Sender may be used where no transaction can begin, so
// another goroutine does it.
type keeper struct {
	mu struct {
		sync.Mutex
		kept []kept
	}
	wake chan struct{} // of size 1
}

type kept struct {
	ns *core.Namespace
	r  *route
	m  wire.Msg
}

// keep queues m, published to subject to, and reports whether there was room.
func (s *Server) keep(ns *core.Namespace, r *route, to []byte, m *wire.Msg) bool {
	k := &s.keeper
	c := *m
	c.Subject = to
	k.mu.Lock()
	room := len(k.mu.kept) < keepMax
	if room {
		k.mu.kept = append(k.mu.kept, kept{ns, r, c.Clone()})
	}
	k.mu.Unlock()
	if !room {
		s.count.unkept.Add(1)
		return false
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return true
}

// storeKept stores what is queued, until the server stops.
func (s *Server) storeKept() {
	p := map[*core.Namespace]*producer{}
	for {
		k := &s.keeper
		k.mu.Lock()
		all := k.mu.kept
		k.mu.kept = nil
		k.mu.Unlock()
		for i := range all {
			x := &all[i]
			w := p[x.ns]
			if w == nil {
				w = &producer{}
				w.init(s, nil, x.ns)
				p[x.ns] = w
			}
			at := w.add(&x.m)
			for _, t := range x.r.streams {
				w.durable = append(w.durable, durable{kind: ingest, stream: t, m: at})
			}
			if x.r.stored {
				w.durable = append(w.durable, durable{kind: store, route: x.r, m: at})
			}
		}
		for _, w := range p {
			w.finish()
		}
		if len(all) > 0 {
			continue
		}
		select {
		case <-k.wake:
		case <-s.stop:
			return
		}
	}
}
