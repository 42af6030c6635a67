package compat

import (
	"flag"
	"fmt"
	"strconv"
	"sync"
	"testing"
)

var crashRounds = flag.Int("crash-rounds", 3, "how often TestCrashUnderLoad kills the server")

// perRound is how much each load must have had acknowledged before the next
// kill -9: enough for many journal frames, few enough to read all back.
const perRound = 400

// load is traffic of one protocol that keeps account of what was acknowledged.
type load interface {
	// start begins publishing, until pause; acked counts over all rounds.
	start()
	acked() int
	// pause says that no new message shall be started. What is under way may need
	// a server to end: settle waits for it.
	pause()
	settle(t *testing.T)
	// verify compares what the server holds with the account.
	verify(t *testing.T)
}

// Kill -9 under load, on all three protocols at once. After each restart all
// that was acknowledged is there, in order, and nothing is twice where the
// protocol promises once.
func TestCrashUnderLoad(t *testing.T) {
	s := start(t)
	loads := []struct {
		name string
		load
	}{
		{"amqp", newRabbitLoad(t, s)}, {"kafka", newKafkaLoad(t, s)}, {"nats", newNATSLoad(t, s)},
	}
	for round := range *crashRounds {
		before := make([]int, len(loads))
		for i, l := range loads {
			before[i] = l.acked()
			l.start()
		}
		for i, l := range loads {
			eventually(t, l.name+" acknowledges", func() bool { return l.acked() >= before[i]+perRound })
		}
		for _, l := range loads {
			l.pause()
		}
		if !original() { // the originals are held to the account without a crash
			s.kill()
			s.run()
		}
		for _, l := range loads {
			t.Run(fmt.Sprintf("round %d/%s", round, l.name), func(t *testing.T) {
				l.settle(t)
				l.verify(t)
			})
		}
		t.Logf("round %d: ready %v after the crash", round, s.ready)
		if t.Failed() {
			return
		}
	}
	for _, l := range loads {
		t.Logf("%s: %d acknowledged over %d crashes", l.name, l.acked(), *crashRounds)
	}
}

// account is what a load knows, by message number. Numbers are given in order
// from 0.
type account struct {
	mu    sync.Mutex
	next  int
	acks  map[int]string // what the acknowledgement said, "" if nothing
	stops bool
}

func (a *account) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stops = false
	if a.acks == nil {
		a.acks = make(map[int]string)
	}
}

func (a *account) pause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stops = true
}

func (a *account) stopped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stops
}

// number gives the next number to publish, or false after pause.
func (a *account) number() (int, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stops {
		return 0, false
	}
	a.next++
	return a.next - 1, true
}

func (a *account) ack(n int, said string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acks[n] = said
}

func (a *account) acked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.acks)
}

// said is a copy of the acknowledgements.
func (a *account) said() map[int]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := make(map[int]string, len(a.acks))
	for n, s := range a.acks {
		c[n] = s
	}
	return c
}

// number reads a message's number back.
func number(t *testing.T, body []byte) int {
	t.Helper()
	n, err := strconv.Atoi(string(body))
	if err != nil {
		t.Fatalf("a message that nobody sent: %q", body)
	}
	return n
}

// increasing fails if numbers are not in order, or twice.
func increasing(t *testing.T, what string, numbers []int) {
	t.Helper()
	for i := 1; i < len(numbers); i++ {
		switch a, b := numbers[i-1], numbers[i]; {
		case a == b:
			t.Errorf("%s: %d is there twice", what, a)
		case a > b:
			t.Errorf("%s: %d comes before %d", what, a, b)
		}
	}
}
