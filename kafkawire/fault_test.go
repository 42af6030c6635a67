package kafkawire_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire"
)

// After a failed write nothing is acknowledged, what was stored is still read,
// and a restart has it all.
func TestFailedWrite(t *testing.T) {
	var broken atomic.Bool
	disk := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errors.New("input/output error")
		}
		return nil
	})
	s := start(t, nil)
	s.down()
	s.fs = errorfs.Wrap(vfs.Default, disk)
	s.up()
	s.topic("t", 1, nil)
	c := s.client(kgo.RequestRetries(0))
	s.produce(c, "t", 10)
	q := kmsg.NewPtrInitProducerIDRequest()
	q.TransactionTimeoutMillis = 1000
	pid := request[*kmsg.InitProducerIDResponse](s, c, q).ProducerID
	broken.Store(true)

	p := kmsg.NewPtrProduceRequest()
	p.Acks = -1
	p.Topics = []kmsg.ProduceRequestTopic{{TopicID: s.topicID("t"), Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch(1, nil)}}}}
	for range 2 { // the one that fails, and one that comes after
		tp := request[*kmsg.ProduceResponse](s, c, p).Topics[0].Partitions[0]
		wantCode(t, "produce", tp.ErrorCode, kerr.KafkaStorageError)
		if tp.BaseOffset != -1 {
			t.Errorf("a batch that is lost has offset %d", tp.BaseOffset)
		}
	}
	var os kadm.Offsets
	os.AddOffset("t", 0, 5, -1)
	cr, err := kadm.NewClient(c).CommitOffsets(s.ctx(), "g", os)
	if err == nil {
		err = cr.Error()
	}
	if err == nil {
		t.Error("a commit is acknowledged")
	}
	if rs := s.consume(s.client(kgo.ConsumeTopics("t")), 10); len(rs) != 10 {
		t.Errorf("%d records are readable", len(rs))
	}
	if _, err := kadm.NewClient(c).CreateTopic(s.ctx(), 1, 1, nil, "u"); err == nil {
		t.Error("a topic is made")
	}

	s.stopBroken()
	broken.Store(false)
	s.up()
	s.produce(s.client(), "t", 5)
	rs := s.consume(s.client(kgo.ConsumeTopics("t")), 15)
	if rs[14].Offset != 14 {
		t.Errorf("the last record is at %d", rs[14].Offset)
	}
	if id := request[*kmsg.InitProducerIDResponse](s, s.client(), q).ProducerID; id <= pid {
		t.Errorf("producer id %d after %d", id, pid)
	}
}

// A group that nobody has used for the retention is forgotten with its positions.
func TestGroupExpiry(t *testing.T) {
	s := start(t, func(o *kafkawire.Options) { o.OffsetsRetention = time.Hour })
	s.topic("t", 1, nil)
	s.produce(s.client(), "t", 5)
	y := newTally()
	live := s.member(y, "m", "live", "t")
	t.Cleanup(live)
	y.wait(t, "the member reads", func() bool { return len(y.seen) == 5 })
	var os kadm.Offsets
	os.AddOffset("t", 0, 3, -1)
	adm := s.admin()
	if err := adm.CommitAllOffsets(s.ctx(), "simple", os); err != nil {
		t.Fatal(err)
	}
	groups := func() int {
		gs, err := adm.ListGroups(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		return len(gs)
	}
	s.door.ExpireGroups(time.Now().Add(59 * time.Minute))
	if n := groups(); n != 2 {
		t.Fatalf("%d groups before their time", n)
	}
	s.door.ExpireGroups(time.Now().Add(2 * time.Hour))
	if n := groups(); n != 1 {
		t.Fatalf("%d groups, one has a member", n)
	}
	live()
	s.door.ExpireGroups(time.Now().Add(2 * time.Hour))
	s.restart()
	adm = s.admin()
	if n := groups(); n != 0 {
		t.Fatalf("%d groups", n)
	}
	got, err := adm.FetchOffsets(s.ctx(), "live")
	if err != nil || len(got) != 0 {
		t.Fatalf("%v %v", got, err)
	}
}
