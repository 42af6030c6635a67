package kafkawire_test

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"trivium/storage"
	"trivium/storage/fulldisk"
)

// While the disk is nearly full producers are refused with an error that they retry; consumers and
// committed offsets go on.
func TestLowDisk(t *testing.T) {
	disk := fulldisk.New(vfs.Default, storage.DefaultMinFreeBytes)
	s := &server{TB: t, dir: t.TempDir(), addr: "127.0.0.1:0", fs: disk}
	s.up()
	t.Cleanup(s.down)
	s.topic("t", 1, nil)
	c := s.client(kgo.ConsumeTopics("t"), kgo.RecordRetries(0))
	ctx := s.ctx()
	produce := func(c *kgo.Client, v string) error {
		return c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte(v)}).FirstErr()
	}
	if err := produce(c, "before"); err != nil {
		t.Fatal(err)
	}
	disk.Set(0)
	for s.broker.Alarm() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := produce(c, "during"); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("produce: %v", err)
	}
	if got := c.PollFetches(ctx).Records(); len(got) != 1 || string(got[0].Value) != "before" {
		t.Errorf("fetched %v", got)
	}
	// A client that retries is served once there is room.
	retries := s.client()
	answer := make(chan error, 1)
	go func() { answer <- produce(retries, "after") }()
	disk.Set(storage.DefaultMinFreeBytes)
	if err := <-answer; err != nil {
		t.Error(err)
	}
	if got := c.PollFetches(ctx).Records(); len(got) != 1 || string(got[0].Value) != "after" {
		t.Errorf("fetched %v", got)
	}
}
