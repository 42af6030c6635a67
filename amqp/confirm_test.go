package amqp

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"trivium/amqp/wire"
)

// answers shows what confirms sent.
func answers(t *testing.T, b []byte) string {
	var out []string
	for len(b) > 0 {
		f, n, _, err := wire.ParseFrame(b, 0)
		if err != nil || n == 0 {
			t.Fatal(err)
		}
		b = b[n:]
		m, _, err := wire.ReadMethod(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *wire.BasicAck:
			out = append(out, fmt.Sprintf("ack %d", m.DeliveryTag))
			if m.Multiple {
				out[len(out)-1] += "+"
			}
		case *wire.BasicNack:
			out = append(out, fmt.Sprintf("nack %d", m.DeliveryTag))
		}
	}
	return strings.Join(out, " ")
}

func TestConfirms(t *testing.T) {
	var c confirms
	var m counters
	a, b, d := c.open(1, 3), c.open(4, 4), c.open(5, 8)
	settle := func(id uint64, nacks []uint64, failed bool) string {
		return answers(t, c.settle(id, nacks, failed, nil, 1, &m))
	}
	if got := settle(b, nil, false); got != "" {
		t.Errorf("what is not on disk yet was passed by: %s", got)
	}
	if got := settle(a, nil, false); got != "ack 4+" {
		t.Errorf("got %s", got)
	}
	if got := settle(d, []uint64{6}, false); got != "ack 5 nack 6 ack 7 ack 8" {
		t.Errorf("got %s", got)
	}
	if got := settle(c.open(9, 9), nil, false); got != "ack 9" {
		t.Errorf("got %s", got)
	}
	if got := settle(c.open(10, 11), nil, true); got != "nack 10 nack 11" {
		t.Errorf("got %s", got)
	}
	if m.confirmed.Load() != 8 || m.nacked.Load() != 3 {
		t.Errorf("%d confirmed, %d nacked", m.confirmed.Load(), m.nacked.Load())
	}
}

// Every number is answered once, rightly, and no cumulative ack covers one that is not settled.
func TestConfirmsAnyOrder(t *testing.T) {
	for seed := range int64(300) {
		rng := rand.New(rand.NewSource(seed))
		var c confirms
		var m counters
		var ids []uint64
		nacks := map[uint64][]uint64{}
		settled := map[uint64]bool{} // numbers that may be answered
		nacked := map[uint64]bool{}
		spans := map[uint64][2]uint64{}
		seq := uint64(0)
		answered := uint64(0)
		for range 40 {
			from := seq + 1
			seq += uint64(1 + rng.Intn(5))
			id := c.open(from, seq)
			for n := from; n <= seq; n++ {
				if rng.Intn(6) == 0 {
					nacks[id] = append(nacks[id], n)
					nacked[n] = true
				}
			}
			ids, spans[id] = append(ids, id), [2]uint64{from, seq}
			for len(ids) > 0 && rng.Intn(2) == 0 {
				i := rng.Intn(len(ids))
				id := ids[i]
				ids = append(ids[:i], ids[i+1:]...)
				for n := spans[id][0]; n <= spans[id][1]; n++ {
					settled[n] = true
				}
				answered = check(t, seed, c.settle(id, nacks[id], false, nil, 1, &m), answered, settled, nacked)
			}
		}
		for _, id := range ids {
			for n := spans[id][0]; n <= spans[id][1]; n++ {
				settled[n] = true
			}
			answered = check(t, seed, c.settle(id, nacks[id], false, nil, 1, &m), answered, settled, nacked)
		}
		if answered != seq {
			t.Fatalf("seed %d: %d of %d answered", seed, answered, seq)
		}
	}
}

func check(t *testing.T, seed int64, b []byte, answered uint64, settled, nacked map[uint64]bool) uint64 {
	for _, a := range strings.Fields(strings.NewReplacer("ack ", "ack:", "nack ", "nack:").Replace(answers(t, b))) {
		kind, num, _ := strings.Cut(a, ":")
		var n uint64
		_, _ = fmt.Sscan(strings.TrimSuffix(num, "+"), &n)
		if n <= answered || !strings.HasSuffix(num, "+") && n != answered+1 {
			t.Fatalf("seed %d: %s after %d", seed, a, answered)
		}
		for x := answered + 1; x <= n; x++ {
			if !settled[x] || nacked[x] != (kind == "nack") {
				t.Fatalf("seed %d: %s covers %d wrongly", seed, a, x)
			}
		}
		answered = n
	}
	return answered
}
