package compat

import (
	"strconv"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// confirmWindow is how many confirms a publisher leaves outstanding.
const confirmWindow = 32

// rabbitLoad publishes numbers to a fanout exchange with two queues behind it:
// nobody reads "kept"; a worker acknowledges what comes from "worked".
type rabbitLoad struct {
	account
	s       *server
	working sync.WaitGroup
	conns   []*amqp.Connection

	worker struct {
		sync.Mutex
		tried map[int]bool // acknowledged, perhaps too late
		gone  map[int]bool // acknowledged, and a later publish was confirmed
	}
	checked map[int]bool // acknowledged numbers that an earlier round verified and removed
}

func newRabbitLoad(t *testing.T, s *server) *rabbitLoad {
	l := &rabbitLoad{s: s, checked: make(map[int]bool)}
	r := s.rabbitFor(t)
	r.exchange("load", "fanout")
	for _, q := range []string{"kept", "worked"} {
		r.queue(q, nil)
		r.bind(q, "", "load")
	}
	r.queue("proof", nil)
	return l
}

// start opens new connections: the old ones ended with the server.
func (l *rabbitLoad) start() {
	l.account.start()
	l.worker.tried, l.worker.gone = make(map[int]bool), make(map[int]bool)
	l.conns = l.conns[:0]
	p, w := l.s.rabbit(), l.s.rabbit()
	l.working.Go(func() { l.publish(p) })
	deliveries := w.consume("worked", confirmWindow)
	l.working.Go(func() { l.work(w, deliveries) })
	l.conns = append(l.conns, p.conn, w.conn)
}

// publish goes on until pause or the connection's end.
func (l *rabbitLoad) publish(r *rabbit) {
	type sent struct {
		n int
		c *amqp.DeferredConfirmation
	}
	window := make(chan sent, confirmWindow)
	closed := r.conn.NotifyClose(make(chan *amqp.Error, 1))
	var confirms sync.WaitGroup
	confirms.Go(func() {
		for m := range window {
			select {
			case <-m.c.Done():
				if m.c.Acked() {
					l.ack(m.n, "")
				}
			case <-closed:
				for range window { // unconfirmed for good
				}
				return
			}
		}
	})
	for {
		n, ok := l.number()
		if !ok {
			break
		}
		c, err := r.ch.PublishWithDeferredConfirm("load", "", false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Body: []byte(strconv.Itoa(n)),
		})
		if err != nil {
			break
		}
		window <- sent{n, c}
	}
	close(window)
	confirms.Wait()
}

// work acknowledges, and now and then proves with a confirmed publish on the
// same channel that what it acknowledged before must be on disk: the server
// takes a channel's methods in order.
func (l *rabbitLoad) work(r *rabbit, ds <-chan amqp.Delivery) {
	closed := r.conn.NotifyClose(make(chan *amqp.Error, 1))
	var unproven []int
	for d := range ds {
		n, err := strconv.Atoi(string(d.Body))
		if err != nil {
			return
		}
		l.worker.Lock()
		l.worker.tried[n] = true
		l.worker.Unlock()
		if d.Ack(false) != nil {
			return
		}
		if unproven = append(unproven, n); len(unproven) < 10 {
			continue
		}
		c, err := r.ch.PublishWithDeferredConfirm("", "proof", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent})
		if err != nil {
			return
		}
		select {
		case <-c.Done():
		case <-closed:
			return
		}
		if !c.Acked() {
			return
		}
		l.worker.Lock()
		for _, n := range unproven {
			l.worker.gone[n] = true
		}
		l.worker.Unlock()
		unproven = unproven[:0]
	}
}

func (l *rabbitLoad) settle(*testing.T) {
	for _, c := range l.conns {
		c.Close() // ended already
	}
	l.working.Wait()
}

func (l *rabbitLoad) verify(t *testing.T) {
	acked := l.said()
	kept := l.drain(t, "kept")
	increasing(t, "kept", kept)
	has := make(map[int]bool)
	for _, n := range kept {
		if l.checked[n] {
			t.Errorf("kept: %d was read and acknowledged before an earlier crash, and is back", n)
		}
		has[n] = true
	}
	for n := range acked {
		if !has[n] && !l.checked[n] {
			t.Errorf("kept: %d was confirmed and is lost", n)
		}
	}

	worked := l.drain(t, "worked")
	increasing(t, "worked", worked)
	clear(has)
	for _, n := range worked {
		if l.worker.gone[n] || l.checked[n] {
			t.Errorf("worked: %d was acknowledged and is back", n)
		}
		has[n] = true
	}
	for n := range acked {
		if !has[n] && !l.worker.tried[n] && !l.checked[n] {
			t.Errorf("worked: %d was confirmed, never acknowledged, and is lost", n)
		}
	}
	for n := range l.next {
		l.checked[n] = true
	}
	if len(l.worker.gone) == 0 {
		t.Error("the worker proved nothing")
	}
}

// drain reads and acknowledges all that a queue holds. What it acknowledged is
// certain when it returns.
func (l *rabbitLoad) drain(t *testing.T, queue string) (numbers []int) {
	t.Helper()
	r := l.s.rabbitFor(t)
	r.publish("", queue, "end")
	ds := r.consume(queue, 100)
	for {
		d := next(t, ds)
		r.must(d.Ack(false))
		if string(d.Body) == "end" {
			break
		}
		numbers = append(numbers, number(t, d.Body))
	}
	r.publish("", "proof", "drained")
	r.must(r.conn.Close())
	return numbers
}
