package amqp

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"
)

// broken fails every write and sync once it is set.
type broken struct{ on atomic.Bool }

var errDisk = errors.New("input/output error")

func (b *broken) String() string { return "broken" }

func (b *broken) MaybeError(op errorfs.Op) error {
	if b.on.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		return errDisk
	}
	return nil
}

// When the disk fails nothing more is acknowledged: publishers get a nack, and every connection that wants to
// write is told why and closed. What was confirmed before is there after a restart.
func TestDiskFails(t *testing.T) {
	disk := &broken{}
	mem := vfs.NewMem()
	b := &broker{t: t, fs: errorfs.Wrap(mem, disk)}
	b.up()
	t.Cleanup(func() {
		if !b.down {
			b.kill()
		}
	})
	c := b.client()
	c.queue("kept", nil)
	c.must(c.Confirm(false))
	c.confirmed("", "kept", amqp091.Publishing{Body: []byte("kept"), DeliveryMode: amqp091.Persistent})
	disk.on.Store(true)
	closed := c.conn.NotifyClose(make(chan *amqp091.Error, 1))
	acks := c.NotifyPublish(make(chan amqp091.Confirmation, 10))
	p := amqp091.Publishing{Body: []byte("lost"), DeliveryMode: amqp091.Persistent}
	c.publish("", "kept", p)
	if a, ok := <-acks; ok && a.Ack {
		t.Error("acknowledged without a disk")
	}
	e := <-closed
	if e == nil || e.Code != codeInternalError || !strings.Contains(e.Reason, "read-only") {
		t.Errorf("closed by %v", e)
	}
	got := outcome(t, b.url(), func(c *client) error {
		_, err := c.QueueDeclare("new", true, false, false, false, nil)
		return err
	})
	if !strings.HasPrefix(got, "541 connection INTERNAL_ERROR") {
		t.Errorf("a declaration got %s", got)
	}
	// Who comes now is kept from publishing, and can still read.
	c = b.client()
	notices := c.conn.NotifyBlocked(make(chan amqp091.Blocking, 1))
	equal(t, "read", take(t, c.subscribe("kept"), 1)[0].Body, []byte("kept"))
	c.publish("", "kept", p)
	equal(t, "notice", <-notices, amqp091.Blocking{Active: true, Reason: "the store is read-only"})
	b.kill()
	leftBehind = append(leftBehind, goleak.IgnoreCurrent())
	disk.on.Store(false)
	b.up()
	c = b.client()
	equal(t, "messages", c.drain("kept"), "[kept]")
	b.stop()
}
