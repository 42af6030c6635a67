package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// flow is a way of messages from one publisher to one consumer, through the
// protocol's Go client. Every message is awaited: the publisher's client asks for
// its acknowledgement, and the consumer acknowledges each.
type flow struct {
	// send hands a message to the client; it may wait for room. The client may keep
	// body.
	send func(body []byte) error
	// failed is the first error of either side, if there was one.
	failed func() error
	close  func()
}

// opener makes a flow that calls received for each message that arrives.
type opener func(t *target, received func(body []byte)) (*flow, error)

const (
	// flowRate is what a paced flow sends a second: what every peer can take with
	// each message on disk.
	flowRate = 1000
	// flowWindow is how many messages an unpaced flow has on their way.
	flowWindow = 1000
	flowSize   = 1000
	// pacedSpans is how many times as long a paced flow runs: few messages a second must
	// still be enough that one in a thousand is ten.
	pacedSpans = 4
)

// flowing is a workload of one flow: rate messages a second, 0: as many as go.
func flowing(open opener, rate, size int) func(t *target) (sample, error) {
	return func(t *target) (sample, error) {
		r, err := openFlow(t, open, size)
		if err != nil {
			return sample{}, err
		}
		defer r.close()
		if err := t.begin(); err != nil {
			return sample{}, err
		}
		return r.drive(rate, flowSpan(t, rate))
	}
}

// flowSpan is how long a flow of rate messages a second runs.
func flowSpan(t *target, rate int) time.Duration {
	if rate == 0 {
		return t.span
	}
	return t.span * pacedSpans
}

// flowRun is one run of a flow.
type flowRun struct {
	*flow
	size  int
	epoch time.Time // what the messages' times count from

	sent int

	mu       sync.Mutex
	received int
	from, to time.Duration // messages that were due in between are timed
	took     []time.Duration
	// arrived has room for as many as may be on their way.
	arrived chan struct{}
}

// openFlow returns a flow through which a first message has come.
func openFlow(t *target, open opener, size int) (*flowRun, error) {
	r := &flowRun{size: size, epoch: time.Now(), arrived: make(chan struct{}, flowWindow)}
	var err error
	if r.flow, err = open(t, r.receive); err != nil {
		return nil, err
	}
	if err = r.emit(0); err == nil {
		err = r.awaitArrivals(r.sent)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// emit sends a message that was due then.
func (r *flowRun) emit(due time.Duration) error {
	body := make([]byte, r.size)
	binary.BigEndian.PutUint64(body, uint64(due))
	r.sent++
	return r.send(body)
}

// receive is called with each message that arrives, one after the other.
func (r *flowRun) receive(body []byte) {
	now := time.Since(r.epoch)
	due := time.Duration(binary.BigEndian.Uint64(body))
	r.mu.Lock()
	r.received++
	if r.from <= due && due < r.to {
		r.took = append(r.took, now-due)
	}
	r.mu.Unlock()
	select {
	case r.arrived <- struct{}{}:
	default: // nobody waits
	}
}

// drive sends for span, after a moment to warm up, and awaits all that it sent.
// Latency is from when a message was due until the consumer has it, so that a server
// that makes the publisher wait cannot hide what waited. Only our own timer's
// lateness is left out.
func (r *flowRun) drive(rate int, span time.Duration) (sample, error) {
	now := func() time.Duration { return time.Since(r.epoch) }
	r.mu.Lock()
	r.from = now() + warmSpan
	r.to = r.from + span
	r.mu.Unlock()
	next, awake := now(), time.Duration(0)
	before := r.sent
	for next < r.to {
		if rate == 0 {
			if err := r.awaitArrivals(r.sent - flowWindow + 1); err != nil {
				return sample{}, err
			}
			next = now()
		} else if wait := next - now(); wait > 0 {
			time.Sleep(wait)
			awake = now()
		}
		if err := r.emit(max(next, awake)); err != nil {
			return sample{}, err
		}
		if rate > 0 {
			next += time.Second / time.Duration(rate)
		}
	}
	if err := r.awaitArrivals(r.sent); err != nil {
		return sample{}, err
	}
	s := sample{Messages: len(r.took), Size: r.size, Seconds: span.Seconds(), Served: r.sent - before}
	s.P50, s.P99, s.P999 = percentiles(r.took)
	return s, r.failed()
}

// awaitArrivals waits until n messages have been received.
func (r *flowRun) awaitArrivals(n int) error {
	for {
		r.mu.Lock()
		received := r.received
		r.mu.Unlock()
		if received >= n {
			return nil
		}
		select {
		case <-r.arrived:
		case <-time.After(patience):
			return errors.Join(fmt.Errorf("%d of %d messages arrived", received, n), r.failed())
		}
	}
}

// firstError keeps the first error of several goroutines.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
