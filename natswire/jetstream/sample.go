package jetstream

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/core"
)

// samples are the times at which messages were delivered whose ack is to be measured:
// no more than are in flight.
type samples struct {
	sync.Mutex
	at map[core.Offset]int64
}

// sampleRate is the percentage of acks that a consumer measures.
func sampleRate(c *server.ConsumerConfig) int {
	n, err := strconv.Atoi(strings.TrimSuffix(c.SampleFrequency, "%"))
	if err != nil {
		return 0
	}
	return n
}

// sampled remembers when a message was delivered, if its ack is to be measured.
func (c *consumer) sampled(cfg *server.ConsumerConfig, o core.Offset) {
	if cfg.SampleFrequency == "" || cfg.AckPolicy != server.AckExplicit {
		return
	}
	if n := sampleRate(cfg); n == 0 || n < 100 && rand.IntN(100) > n {
		return
	}
	c.samples.Lock()
	defer c.samples.Unlock()
	if c.samples.at == nil {
		c.samples.at = map[core.Offset]int64{}
	}
	c.samples.at[o] = time.Now().UnixNano()
}

// measured forgets a message and tells when it was delivered, if it is to be measured.
func (c *consumer) measured(o core.Offset) (at int64, ok bool) {
	c.samples.Lock()
	defer c.samples.Unlock()
	at, ok = c.samples.at[o]
	delete(c.samples.at, o)
	return at, ok
}

// adviseAck publishes how long an ack took.
func (c *consumer) adviseAck(n ackInfo, took int64) {
	c.a.advise(server.JSMetricConsumerAckPre+"."+c.key, func() any {
		return &server.JSConsumerAckMetric{
			TypedEvent: event(server.JSConsumerAckMetricType), Stream: c.stream.name, Consumer: c.name,
			ConsumerSeq: n.consumerSeq, StreamSeq: n.streamSeq, Delay: took, Deliveries: n.delivered,
		}
	})
}
