package jetstream_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A key that has a value is found at any time while others come, whose predecessors go before they are on disk; and a
// reader never goes back.
func TestGetWhilePut(t *testing.T) {
	w := start(t)
	bucket := func() jetstream.KeyValue {
		js, err := jetstream.New(w.connect())
		if err != nil {
			t.Fatal(err)
		}
		kv, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"})
		if err != nil {
			t.Fatal(err)
		}
		return kv
	}
	kv := bucket()
	if _, err := kv.Put(t.Context(), "a", []byte("0")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for range 3 {
		kv := bucket()
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := kv.Put(t.Context(), "a", fmt.Append(nil, i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	last := uint64(0)
	for n := range 100 {
		e, err := kv.Get(t.Context(), "a")
		if err != nil || e.Revision() < last {
			t.Fatalf("get %d after revision %d: %v, %v", n, last, e, err)
		}
		last = e.Revision()
	}
	close(stop)
	writers.Wait()
}
