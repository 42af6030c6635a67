package amqp

import (
	"fmt"
	"math/rand"
	"net"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// unruly dials a connection that can be cut without a word.
func unruly(url string) (*amqp091.Connection, net.Conn, error) {
	var nc net.Conn
	conn, err := amqp091.DialConfig(url, amqp091.Config{Dial: func(network, addr string) (c net.Conn, err error) {
		if c, err = net.Dial(network, addr); err == nil {
			_ = c.SetDeadline(time.Now().Add(patience)) // of the handshake; the client lifts it
		}
		nc = c
		return c, err
	}})
	return conn, nc, err
}

// Publishers and consumers come and go, with and without a word: what was confirmed is delivered, and what is
// delivered twice says so.
func TestComingAndGoing(t *testing.T) {
	for _, typ := range []string{"classic", "quorum"} {
		t.Run(typ, func(t *testing.T) {
			b := serve(t, Options{})
			args := amqp091.Table{"x-queue-type": typ}
			if typ == "quorum" {
				args["x-delivery-limit"] = -1
			}
			b.client().queue("q", args)
			var mu sync.Mutex
			confirmed, seen, settled := map[string]bool{}, map[string]int{}, map[string]bool{}
			var pubs, subs sync.WaitGroup
			for p := range 3 {
				pubs.Go(func() {
					rng := rand.New(rand.NewSource(int64(p)))
					for life := range 4 {
						conn, nc, err := unruly(b.url())
						if err != nil {
							t.Error(err)
							return
						}
						ch, err := conn.Channel()
						if err == nil {
							err = ch.Confirm(false)
						}
						for i := range 200 {
							id := fmt.Sprintf("%d/%d/%d", p, life, i)
							if err != nil {
								break
							}
							var c *amqp091.DeferredConfirmation
							c, err = ch.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{
								MessageId: id, DeliveryMode: amqp091.Persistent, Body: make([]byte, rng.Intn(3000)),
							})
							if err == nil && rng.Intn(10) == 0 && c.Wait() {
								mu.Lock()
								confirmed[id] = true
								mu.Unlock()
							}
						}
						if rng.Intn(2) == 0 {
							_ = nc.Close()
						}
						_ = conn.Close()
					}
				})
			}
			done := make(chan struct{})
			for s := range 3 {
				subs.Go(func() {
					rng := rand.New(rand.NewSource(int64(100 + s)))
					for {
						select {
						case <-done:
							return
						default:
						}
						conn, nc, err := unruly(b.url())
						if err != nil {
							t.Error(err)
							return
						}
						ch, err := conn.Channel()
						if err == nil {
							err = ch.Qos(1+rng.Intn(30), 0, false)
						}
						var ds <-chan amqp091.Delivery
						if err == nil {
							ds, err = ch.Consume("q", "", false, false, false, false, nil)
						}
						for n := rng.Intn(300); n > 0 && err == nil; n-- {
							select {
							case d, ok := <-ds:
								if !ok {
									n = 0
									break
								}
								mu.Lock()
								if seen[d.MessageId] > 0 && !d.Redelivered {
									t.Errorf("%s came again and did not say so", d.MessageId)
								}
								seen[d.MessageId]++
								mu.Unlock()
								switch rng.Intn(8) {
								case 0:
									_ = d.Nack(false, true)
								case 1: // kept until the end
								default:
									if d.Ack(false) == nil {
										mu.Lock()
										settled[d.MessageId] = true
										mu.Unlock()
									}
								}
							case <-done:
								n = 0
							}
						}
						if rng.Intn(2) == 0 {
							_ = nc.Close()
						}
						_ = conn.Close()
					}
				})
			}
			pubs.Wait()
			close(done)
			subs.Wait()
			c := b.client()
			wait(t, "the server noticed who is gone", func() bool {
				m := b.server.Metrics()
				return m.ConnectionsOpened-m.ConnectionsClosed == 2
			})
			for d := c.get("q"); d != nil; d = c.get("q") {
				seen[d.MessageId]++
			}
			for id := range confirmed {
				if seen[id] == 0 {
					t.Errorf("%s was confirmed and never delivered", id)
				}
			}
			q, err := c.QueueDeclarePassive("q", true, false, false, false, nil)
			c.must(err)
			equal(t, "left", q.Messages, 0)
			t.Logf("%d confirmed and waited for, %d seen, %d settled", len(confirmed), len(seen), len(settled))
		})
	}
}
