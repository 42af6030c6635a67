package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// client is a connection that costs this process little.
type client interface {
	// wake makes the connection able to do its work; until then it is idle.
	wake(i int) error
	// work sends a message and awaits what comes of it.
	work() error
	close()
}

// connTrials are one per door. Idle means connected and nothing else (AMQP: with a channel); active means
// that each connection sends messages to itself, in turns.
func connTrials() []trial {
	const aim = "10,000 connections; idle at most 15 KiB each"
	sizes := []int{100, 1000, 10_000}
	return []trial{
		{"amqp connections", aim, sizes, connections("amqp", func(addr string, i int) (client, error) { return dialAMQP(addr, i) }, nil)},
		{"kafka connections", aim, sizes, connections("kafka", func(addr string, i int) (client, error) { return dialKafka(addr, i) }, kafkaConnTopic)},
		{"nats connections", aim, sizes, connections("nats", func(addr string, i int) (client, error) { return dialNATS(addr, i) }, nil)},
	}
}

// dialFrom connects from one of many loopback addresses, so that there are ports enough.
func dialFrom(addr string, i int) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/5000))}}
	return d.Dial("tcp", addr)
}

// dialers is how many connections work at a time.
const dialers = 64

// each calls f for 0..n-1, a few at a time, and returns the first error.
func each(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	next := make(chan int)
	for range min(dialers, n) {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					once.Do(func() { first = fmt.Errorf("item %d: %w", i, err) })
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return first
}

func connections(door string, dial func(addr string, i int) (client, error), prepare func(addr string) error) func(b *bout) error {
	return func(b *bout) error {
		addr := b.addr[door]
		if prepare != nil {
			if err := prepare(addr); err != nil {
				return err
			}
		}
		empty, err := b.memory("memory before")
		if err != nil {
			return err
		}
		all := make([]client, b.N)
		defer func() {
			for _, c := range all {
				if c != nil {
					c.close()
				}
			}
		}()
		err = b.timed("connect", b.N, func() error {
			return each(b.N, func(i int) (err error) { all[i], err = dial(addr, i); return err })
		})
		if err != nil {
			return err
		}
		idle, err := b.memory("memory, all idle")
		if err != nil {
			return err
		}
		b.note("memory of an idle connection", (idle-empty)/float64(b.N), "B")
		if err := b.idle("CPU, all idle"); err != nil {
			return err
		}
		if err := b.goroutines("goroutines, all idle"); err != nil {
			return err
		}
		if err := b.timed("wake", b.N, func() error { return each(b.N, func(i int) error { return all[i].wake(i) }) }); err != nil {
			return err
		}
		ops := max(50_000, 5*b.N)
		if b.short {
			ops = 100 * b.N
		}
		took := make([]time.Duration, ops)
		order := rand.Perm(b.N)
		busy := make([]sync.Mutex, b.N) // a connection may be asked again before it is done
		err = b.timed("message", ops, func() error {
			return each(ops, func(i int) error {
				k := order[i%b.N]
				busy[k].Lock()
				defer busy[k].Unlock()
				start := time.Now()
				err := all[k].work()
				took[i] = time.Since(start)
				return err
			})
		})
		if err != nil {
			return err
		}
		slices.Sort(took)
		b.note("message, p50", took[ops/2].Seconds(), "s")
		b.note("message, p99", took[ops/100*99].Seconds(), "s")
		active, err := b.memory("memory, all active")
		if err != nil {
			return err
		}
		b.note("memory of an active connection", (active-empty)/float64(b.N), "B")
		if err := b.idle("CPU, at rest again"); err != nil {
			return err
		}
		err = b.timed("disconnect", b.N, func() error {
			err := each(b.N, func(i int) error { all[i].close(); return nil })
			clear(all)
			return err
		})
		if err != nil {
			return err
		}
		if _, err := b.memory("memory, all gone"); err != nil {
			return err
		}
		return b.goroutines("goroutines, all gone")
	}
}
