package jetstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"trivium/storage"
	"trivium/storage/fulldisk"
)

// While the disk is nearly full, publishers to streams in files and who makes such streams are refused as
// nats-server refuses beyond max_file_store; streams in memory and consumers go on.
func TestLowDisk(t *testing.T) {
	disk := fulldisk.New(vfs.Default, storage.DefaultMinFreeBytes)
	w := &world{t: t, dir: t.TempDir(), fs: disk}
	w.open()
	t.Cleanup(func() { w.stop() })
	js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	create := func(name string, st jetstream.StorageType) error {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, Storage: st})
		return err
	}
	publish := func(subject string) error {
		_, err := js.Publish(ctx, subject, []byte("x"))
		return err
	}
	refused := func(what string, err error, code uint16) {
		t.Helper()
		var e *jetstream.APIError
		if !errors.As(err, &e) || e.ErrorCode != jetstream.ErrorCode(code) {
			t.Errorf("%s: %v, not %d", what, err, code)
		}
	}
	if err := errors.Join(create("file", jetstream.FileStorage), create("memory", jetstream.MemoryStorage), publish("file")); err != nil {
		t.Fatal(err)
	}
	disk.Set(0)
	for w.broker.Alarm() == nil {
		time.Sleep(time.Millisecond)
	}
	refused("publish", publish("file"), uint16(server.JSInsufficientResourcesErr))
	refused("create", create("new", jetstream.FileStorage), uint16(server.JSStorageResourcesExceededErr))
	if err := errors.Join(publish("memory"), create("new-in-memory", jetstream.MemoryStorage)); err != nil {
		t.Error(err)
	}
	c, err := js.CreateConsumer(ctx, "file", jetstream.ConsumerConfig{Durable: "c"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.DoubleAck(ctx); err != nil {
		t.Error(err)
	}
	disk.Set(storage.DefaultMinFreeBytes)
	for w.broker.Alarm() != nil {
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(publish("file"), create("new", jetstream.FileStorage)); err != nil {
		t.Error(err)
	}
}
