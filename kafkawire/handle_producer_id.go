package kafkawire

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/core"
)

// InitProducerId (22), versions 0 to 5, for idempotent producers. Transactional
// ones are refused as not authorized, which every client takes as final. Source:
// Kafka 4.3.1; spec 2.2.

// producerKey is the document that holds the first producer id not handed out in
// blocks of producerBlock yet.
const (
	producerKey   = "producer-ids"
	producerBlock = 1000
)

// producerIDs hands out ids that are never given twice.
type producerIDs struct {
	s  *Server
	mu struct {
		sync.Mutex
		next, end int64
	}
}

// take returns a new id. It waits for the disk once per block.
func (p *producerIDs) take() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.next == p.mu.end {
		doc, err := p.s.ns.Doc(Realm, producerKey)
		if err != nil {
			return 0, err
		}
		from := p.mu.end
		if len(doc) == 8 {
			from = max(from, int64(binary.BigEndian.Uint64(doc)))
		} else if doc != nil {
			return 0, fmt.Errorf("kafka: document %s holds %d bytes", producerKey, len(doc))
		}
		err = p.s.broker.Committed(func(tx *core.Tx) error {
			tx.SetDoc(p.s.ns, Realm, producerKey, binary.BigEndian.AppendUint64(nil, uint64(from+producerBlock)))
			return nil
		})
		if err != nil {
			return 0, err
		}
		p.mu.next, p.mu.end = from, from+producerBlock
	}
	p.mu.next++
	return p.mu.next - 1, nil
}

func (c *conn) handleInitProducerID(_ *slot, q *kmsg.InitProducerIDRequest) kmsg.Response {
	r := kmsg.NewPtrInitProducerIDResponse()
	r.ProducerID, r.ProducerEpoch = -1, -1
	switch id := q.TransactionalID; {
	case id != nil && *id == "":
		r.ErrorCode = errInvalidRequest
	case id != nil:
		r.ErrorCode = errTransactionDenied
	default:
		pid, err := c.s.pids.take()
		if err != nil {
			c.s.log.Error("kafka: producer id", "err", err)
			r.ErrorCode = errCoordinatorNotThere
			return r
		}
		r.ProducerID, r.ProducerEpoch = pid, 0
	}
	return r
}
