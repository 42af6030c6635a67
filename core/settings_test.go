package core

import (
	"reflect"
	"testing"
)

// every is a QueueConfig of which each field is set.
func every(t testing.TB) QueueConfig {
	c := QueueConfig{
		Realm: "r", Owner: "o", TTL: 1, ExpiresAfter: 2, MaxMessages: 3, MaxBytes: 4, Priorities: 5, MaxAttempts: 6,
		DeadLetter: "x", DeadLetterKey: "k", Dedup: Dedup{On: true, Size: 7, TTL: 8}, IDHeader: "h", Doc: []byte("doc"),
		Durable: true, AutoDelete: true, HasTTL: true, HasMaxMessages: true, HasMaxBytes: true, HasDeadLetter: true,
		HasDeadLetterKey: true, Overflow: RejectNew, DeadLetterRejected: true, Weighted: true, SingleActive: true, ReturnFirst: true,
	}
	for v, i := reflect.ValueOf(c), 0; i < v.NumField(); i++ {
		if f := v.Type().Field(i); v.Field(i).IsZero() && f.Name != "Name" {
			t.Fatalf("%s is not set here", f.Name)
		}
	}
	return c
}

// Each field on its own, and all of them, are what they were after they are stored.
func TestSettingsAreStored(t *testing.T) {
	all := every(t)
	configs := []QueueConfig{{}, all}
	for v, i := reflect.ValueOf(all), 0; i < v.NumField(); i++ {
		var c QueueConfig
		reflect.ValueOf(&c).Elem().Field(i).Set(v.Field(i))
		configs = append(configs, c)
	}
	for _, c := range configs {
		if got, ok := decodeSettings(c.encode(nil)); !ok || !reflect.DeepEqual(got, c) {
			t.Errorf("got %+v, %v, want %+v", got, ok, c)
		}
	}
}

// Queues share equal settings, and nothing is left of them when the last one is gone.
func TestSettingsAreShared(t *testing.T) {
	p := newTopology(t)
	make := func(n string, c QueueConfig) (q *Queue) {
		c.Realm, c.Name = defaultRealm, n
		err := p.b.Committed(func(tx *Tx) (err error) { q, err = p.ns.CreateQueue(tx, c); return err })
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	before := len(p.b.settings)
	a, b, c := make("a", QueueConfig{MaxMessages: 1}), make("b", QueueConfig{MaxMessages: 1}), make("c", QueueConfig{MaxMessages: 2})
	if a.set != b.set || a.set == c.set || len(p.b.settings) != before+2 {
		t.Errorf("%p %p %p, %d kinds", a.set, b.set, c.set, len(p.b.settings)-before)
	}
	if a.Config().Name != "a" || b.Config().Name != "b" {
		t.Error("names are shared")
	}
	tx := p.b.Begin()
	for _, q := range []*Queue{a, b, c} {
		q.Delete(tx)
	}
	tx.Commit()
	if len(p.b.settings) != before {
		t.Errorf("%d kinds are left", len(p.b.settings)-before)
	}
}

// FuzzSettings: what can be read is read again like that.
func FuzzSettings(f *testing.F) {
	for _, c := range []QueueConfig{{}, every(f)} {
		f.Add(c.encode(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ok := decodeSettings(data)
		if !ok {
			return
		}
		if again, ok := decodeSettings(c.encode(nil)); !ok || !reflect.DeepEqual(again, c) {
			t.Errorf("%+v became %+v, %v", c, again, ok)
		}
	})
}
