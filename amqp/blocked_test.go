package amqp

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"trivium/amqp/wire"
	"trivium/storage"
	"trivium/storage/fulldisk"
)

// lowDisk is a broker whose disk has room, and that disk.
func lowDisk(t *testing.T) (*broker, *fulldisk.FS) {
	disk := fulldisk.New(vfs.NewMem(), storage.DefaultMinFreeBytes)
	b := &broker{t: t, fs: disk}
	b.up()
	t.Cleanup(b.stop)
	return b, disk
}

// setFree changes the free space and waits until it is seen.
func (b *broker) setFree(disk *fulldisk.FS, free uint64) {
	disk.Set(free)
	low := free < storage.DefaultMinFreeBytes
	wait(b.t, "the disk is looked at", func() bool { return (b.core.Alarm() != nil) == low })
}

// While the disk is nearly full, connections that publish are told and not read; those that consume go on. When there
// is room again what they sent is taken.
func TestBlocked(t *testing.T) {
	b, disk := lowDisk(t)
	p, c := b.client(), b.client()
	p.queue("q", nil)
	p.must(p.Confirm(false))
	p.confirmed("", "q", amqp091.Publishing{Body: []byte("before")})
	notices := p.conn.NotifyBlocked(make(chan amqp091.Blocking, 4))
	quietly := c.conn.NotifyBlocked(make(chan amqp091.Blocking, 4))

	b.setFree(disk, 1000)
	// A connection may do anything but publish.
	p.queue("other", nil)
	select {
	case n := <-notices:
		t.Errorf("told %+v before publishing", n)
	default:
	}
	d, err := p.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{Body: []byte("during")})
	p.must(err)
	equal(t, "notice", <-notices, amqp091.Blocking{Active: true, Reason: "low on disk"})
	equal(t, "blocked", b.server.Metrics().Blocked, 1)
	ds := c.subscribe("q")
	equal(t, "consumed meanwhile", bodies(t, ds, 1), "[before]")
	quiet(t, c, ds)
	if d.Acked() {
		t.Error("confirmed without room")
	}

	b.setFree(disk, storage.DefaultMinFreeBytes)
	equal(t, "notice", <-notices, amqp091.Blocking{})
	if !d.Wait() {
		t.Error("not confirmed")
	}
	equal(t, "consumed after it", bodies(t, ds, 1), "[during]")
	equal(t, "blocked", b.server.Metrics().Blocked, 0)
	select {
	case n := <-quietly:
		t.Errorf("the consumer was told %+v", n)
	default:
	}

	// Again: every alarm is told.
	b.setFree(disk, 0)
	p.publish("", "q", amqp091.Publishing{Body: []byte("again")})
	equal(t, "notice", <-notices, amqp091.Blocking{Active: true, Reason: "low on disk"})
	b.setFree(disk, storage.DefaultMinFreeBytes)
	equal(t, "notice", <-notices, amqp091.Blocking{})
	equal(t, "consumed", bodies(t, ds, 1), "[again]")
}

// A client that does not know the notice is not sent it, but waits as well; and is not taken for dead, though
// nothing is read of it.
func TestBlockedSilently(t *testing.T) {
	b, disk := lowDisk(t)
	c := b.client()
	c.queue("q", nil)
	b.setFree(disk, 0)
	// All at once: it is blocked before it could be silent. It never sends a heartbeat.
	r := b.raw(t).tuned()
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: frameMinSize, Heartbeat: 1}, &wire.ConnectionOpen{VHost: "/"})
	r.send(1, &wire.ChannelOpen{}, &wire.BasicPublish{RoutingKey: "q"})
	r.write(wire.AppendBody(wire.AppendHeader(nil, 1, 1, []byte{0, 0}), 1, []byte("1"), frameMinSize)...)
	for _, want := range []string{"*wire.ConnectionOpenOk", "*wire.ChannelOpenOk"} {
		equal(t, "answer", fmt.Sprintf("%T", r.method()), want)
	}
	wait(t, "it is blocked", func() bool { return b.server.Metrics().Blocked == 1 })
	// Longer than a client may be silent: heartbeats to it count the time.
	for range heartMisses + 2 {
		if f, ok := r.frame(); !ok || f.Type != wire.FrameHeartbeat {
			t.Fatalf("got %+v, %v", f, ok)
		}
	}
	equal(t, "stored", c.drain("q"), "[]")
	b.setFree(disk, storage.DefaultMinFreeBytes)
	wait(t, "it is stored", func() bool { return len(c.drain("q")) == 1 })
}

// A blocked connection hears that the server stops.
func TestBlockedShutdown(t *testing.T) {
	b, disk := lowDisk(t)
	p := b.client()
	p.queue("q", nil)
	closed := p.conn.NotifyClose(make(chan *amqp091.Error, 1))
	b.setFree(disk, 0)
	p.send("", "q", "1")
	wait(t, "it is blocked", func() bool { return b.server.Metrics().Blocked == 1 })
	b.stop()
	if e := <-closed; e == nil || e.Code != codeConnectionForced {
		t.Errorf("closed by %v", e)
	}
}

// What a blocked connection holds too long is taken from it.
func TestBlockedOverdue(t *testing.T) {
	slower(t, 300*time.Millisecond, func(timeout time.Duration) time.Duration {
		disk := fulldisk.New(vfs.NewMem(), storage.DefaultMinFreeBytes)
		b := &broker{t: t, fs: disk, opts: Options{ConsumerTimeout: timeout}}
		b.up()
		t.Cleanup(b.stop)
		p := b.client()
		p.queue("q", nil)
		p.must(p.Confirm(false))
		p.confirmed("", "q", amqp091.Publishing{Body: []byte("1")})
		closed := p.NotifyClose(make(chan *amqp091.Error, 1))
		b.setFree(disk, 0)
		began := time.Now()
		take(t, p.subscribe("q"), 1)
		err := p.Publish("", "q", false, false, amqp091.Publishing{Body: []byte("2")})
		wait(t, "it is blocked", func() bool {
			return b.server.Metrics().Blocked == 1 || time.Since(began) >= timeout
		})
		if took := time.Since(began); took >= timeout {
			return took // it may not have been held while it was blocked
		}
		p.must(err)
		if e := <-closed; e == nil || e.Code != codePreconditionFailed {
			t.Errorf("closed by %v", e)
		}
		c := b.client()
		equal(t, "given back", c.drain("q"), "[1]")
		b.setFree(disk, storage.DefaultMinFreeBytes)
		return 0
	})
}
