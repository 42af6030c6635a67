package kafkawire_test

import (
	"fmt"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func playIdempotence(p *player) {
	p.topic("idem", 1)
	pid := func(version int16, edit func(q *kmsg.InitProducerIDRequest)) int64 {
		q := kmsg.NewPtrInitProducerIDRequest()
		q.TransactionTimeoutMillis = 2147483647
		if edit != nil {
			edit(q)
		}
		for {
			r := p.send(version, q).(*kmsg.InitProducerIDResponse)
			if r.ErrorCode >= 14 && r.ErrorCode <= 16 {
				continue // still starting
			}
			fmt.Fprintf(&p.out, "InitProducerID v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
			return r.ProducerID
		}
	}
	var id int64
	for v := int16(0); v <= 5; v++ {
		id = pid(v, nil)
	}
	pid(5, func(q *kmsg.InitProducerIDRequest) { q.TransactionalID = ptr("") })
	send := func(id int64, epoch int16, first int32, n int) {
		p.produce(11, "idem", 0, batch(n, func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = id, epoch, first }), nil)
	}
	p.say("in order, and again")
	for first := int32(0); first < 14; first += 2 {
		send(id, 0, first, 2)
	}
	send(id, 0, 12, 2)
	send(id, 0, 4, 2)
	p.say("too old, gap, overlap, part")
	send(id, 0, 2, 2)
	send(id, 0, 16, 2)
	send(id, 0, 13, 2)
	send(id, 0, 12, 1)
	p.say("epochs")
	send(id, 1, 5, 1)
	send(id, 1, 0, 1)
	send(id, 0, 14, 1)
	send(id, 1, 0, 1)
	p.say("an id that is not known")
	send(987654, 0, 77, 1)
	send(987654, 0, 78, 1)
	p.say("the numbers wrap")
	send(987655, 0, 2147483646, 4)
	send(987655, 0, 2, 1)
	send(987655, 0, 2147483646, 4)
}
