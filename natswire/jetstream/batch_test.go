package jetstream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// member is a message of an atomic batch.
func member(subject, id string, seq int, kv ...string) step {
	return pub(subject, fmt.Sprint(id, seq), append([]string{"Nats-Batch-Id", id, "Nats-Batch-Sequence", fmt.Sprint(seq)}, kv...)...)
}

func TestCompareAtomicBatch(t *testing.T) {
	const commit = "Nats-Batch-Commit"
	script := []step{
		stream("A", `"subjects":["a.>"],"allow_atomic":true,"allow_rollup_hdrs":true`),
		stream("D", `"subjects":["d.>"],"allow_atomic":true,"discard":"new","max_msgs":2`),
		pub("a.x", "before"),
		// One that commits, and one that says so in an extra message.
		member("a.x", "one", 1), member("a.y", "one", 2), member("a.z", "one", 3, commit, "1"),
		member("a.x", "two", 1), member("a.y", "two", 2), member("a.y", "two", 3, commit, "eob"),
		api("STREAM.MSG.GET.A", `{"seq":6,"no_hdr":true}`), api("STREAM.INFO.A", `{"subjects_filter":">"}`),
		// A batch of one.
		member("a.x", "single", 1, commit, "1"),
		// Gaps, unknown batches, bad numbers and commits.
		member("a.x", "gap", 1), member("a.x", "gap", 3), member("a.x", "gap", 2), member("a.x", "unknown", 2),
		member("a.x", "unknown", 5000), member("a.x", "eob", 1, commit, "eob"),
		member("a.x", "bad", 1), member("a.x", "bad", 2, commit, "yes"),
		pub("a.x", "", "Nats-Batch-Id", "noseq"), pub("a.x", "", "Nats-Batch-Id", strings.Repeat("i", 65), "Nats-Batch-Sequence", "1"),
		// Conditions hold for what was there before.
		member("a.x", "last", 1, "Nats-Expected-Last-Sequence", "7"), member("a.y", "last", 2, commit, "1"),
		member("a.x", "last2", 1, "Nats-Expected-Last-Sequence", "7"), member("a.y", "last2", 2, commit, "1"),
		member("a.x", "last3", 1), member("a.y", "last3", 2, "Nats-Expected-Last-Sequence", "9", commit, "1"),
		member("a.x", "last4", 1), member("a.y", "last4", 2, "Nats-Expected-Last-Sequence", "10", commit, "1"),
		member("a.n", "key", 1, "Nats-Expected-Last-Subject-Sequence", "0"), member("a.m", "key", 2, "Nats-Expected-Last-Subject-Sequence", "0", commit, "1"),
		member("a.n", "key2", 1, "Nats-Expected-Last-Subject-Sequence", "0"), member("a.m", "key2", 2, commit, "1"),
		member("a.k", "key3", 1), member("a.k", "key3", 2, "Nats-Expected-Last-Subject-Sequence", "0", commit, "1"),
		member("a.x", "id", 1, "Nats-Expected-Last-Msg-Id", "x"), member("a.x", "id", 2, commit, "1"),
		// Ids once.
		member("a.x", "dup", 1, "Nats-Msg-Id", "m"), member("a.x", "dup", 2, "Nats-Msg-Id", "m", commit, "1"),
		member("a.x", "dup2", 1, "Nats-Msg-Id", "m"), member("a.x", "dup2", 2, commit, "1"),
		member("a.x", "dup3", 1, "Nats-Msg-Id", "m"), member("a.x", "dup3", 2, commit, "1"),
		// Rollups.
		member("a.r", "roll", 1), member("a.r", "roll", 2, "Nats-Rollup", "sub", commit, "1"),
		member("a.r", "roll2", 1, "Nats-Rollup", "sub"), member("a.r", "roll2", 2, commit, "1"),
		member("a.r", "roll3", 1), member("a.q", "roll3", 2, "Nats-Rollup", "all", commit, "1"),
		api("STREAM.INFO.A", `{"subjects_filter":">"}`),
		// All of it fits or none.
		member("d.1", "full", 1), member("d.2", "full", 2), member("d.3", "full", 3, commit, "1"),
		api("STREAM.INFO.D", ""),
		member("d.1", "fits", 1), member("d.2", "fits", 2, commit, "1"),
		api("STREAM.INFO.D", ""),
	}
	for i := range 51 {
		script = append(script, member("a.x", fmt.Sprint("many", i), 1))
	}
	compare(t, script...)
}

// fastStep publishes with a reply subject of the fast batch's form.
type fastStep struct {
	subject, reply string
	header         nats.Header
}

func TestCompareFastBatch(t *testing.T) {
	conversations := map[string][]fastStep{
		"commit":      {{"f.a", "b.10.fail.1.0", nil}, {"f.b", "b.10.fail.2.1", nil}, {"f.c", "b.10.fail.3.2", nil}},
		"end":         {{"f.a", "b.10.fail.1.0", nil}, {"f.b", "b.10.fail.2.1", nil}, {"f.c", "b.10.fail.3.3", nil}},
		"single":      {{"f.a", "b.10.fail.1.2", nil}},
		"pace":        {{"f.a", "b.2.ok.1.0", nil}, {"f.a", "b.2.ok.2.1", nil}, {"f.a", "b.2.ok.3.1", nil}, {"f.a", "b.2.ok.4.1", nil}, {"f.a", "b.2.ok.5.2", nil}},
		"ping":        {{"f.a", "b.5.fail.1.0", nil}, {"f.a", "b.5.fail.1.4", nil}, {"f.a", "b.5.fail.2.2", nil}},
		"gap ok":      {{"f.a", "b.5.ok.1.0", nil}, {"f.a", "b.5.ok.4.1", nil}, {"f.a", "b.5.ok.5.2", nil}},
		"gap fail":    {{"f.a", "b.5.fail.1.0", nil}, {"f.a", "b.5.fail.4.1", nil}, {"f.a", "b.5.fail.5.2", nil}},
		"backward":    {{"f.a", "b.5.ok.1.0", nil}, {"f.a", "b.5.ok.2.1", nil}, {"f.a", "b.5.ok.2.1", nil}},
		"ping gap":    {{"f.a", "b.5.fail.1.0", nil}, {"f.a", "b.5.fail.3.4", nil}},
		"ping gap ok": {{"f.a", "b.5.ok.1.0", nil}, {"f.a", "b.5.ok.3.4", nil}, {"f.a", "b.5.ok.4.2", nil}},
		"unknown":     {{"f.a", "b.5.ok.2.1", nil}, {"f.a", "b.5.ok.1.4", nil}},
		"malformed":   {{"f.a", "b.5.maybe.1.0", nil}, {"f.a", "b.5.ok.0.0", nil}, {"f.a", "b.5.ok.1.9", nil}, {"f.a", "b.5.ok.2.0", nil}, {"f.a", "b.5.ok.1.1", nil}},
		"duplicate":   {{"f.a", "b.5.ok.1.0", nats.Header{"Nats-Msg-Id": {"i"}}}, {"f.a", "b.5.ok.2.1", nats.Header{"Nats-Msg-Id": {"i"}}}, {"f.a", "b.5.ok.3.2", nil}},
		"dup first":   {{"f.a", "", nats.Header{"Nats-Msg-Id": {"j"}}}, {"f.a", "b.5.fail.1.0", nats.Header{"Nats-Msg-Id": {"j"}}}, {"f.a", "b.5.fail.2.2", nil}},
		"error":       {{"f.a", "b.5.fail.1.0", nil}, {"f.a", "b.5.fail.2.1", nats.Header{"Nats-Expected-Stream": {"X"}}}, {"f.a", "b.5.fail.3.2", nil}},
		"error ok":    {{"f.a", "b.5.ok.1.0", nil}, {"f.a", "b.5.ok.2.1", nats.Header{"Nats-Expected-Stream": {"X"}}}, {"f.a", "b.5.ok.3.2", nil}},
		"error first": {{"f.a", "b.5.fail.1.0", nats.Header{"Nats-Expected-Stream": {"X"}}}},
		"dup single":  {{"f.a", "", nats.Header{"Nats-Msg-Id": {"k"}}}, {"f.a", "b.5.fail.1.2", nats.Header{"Nats-Msg-Id": {"k"}}}},
		"off":         {{"o.a", "b.5.fail.1.0", nil}},
	}
	theirs, ours := original(t), start(t).connect()
	for _, nc := range []*nats.Conn{theirs, ours} {
		for _, s := range []step{stream("F", `"subjects":["f.>"],"allow_batched":true`), stream("O", `"subjects":["o.>"]`)} {
			if _, err := ask(nc, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range conversations {
		t.Run(name, func(t *testing.T) {
			// How many answers a step gets is part of what is compared, so the end of them is
			// known by silence only: on a busy machine it takes longer to be sure.
			var want, got string
			for silence := 100 * time.Millisecond; silence < patience; silence *= 4 {
				for _, nc := range []*nats.Conn{theirs, ours} {
					if _, err := ask(nc, api("STREAM.PURGE.F", "")); err != nil {
						t.Fatal(err)
					}
				}
				if want, got = talk(t, theirs, c, silence), talk(t, ours, c, silence); got == want {
					return
				}
			}
			t.Errorf("got\n%swant\n%s", got, want)
		})
	}
}

// talk sends a conversation, in a batch named after the test, and returns all that is answered.
func talk(t *testing.T, nc *nats.Conn, c []fastStep, silence time.Duration) string {
	t.Helper()
	inbox := nats.NewInbox()
	s, err := nc.SubscribeSync(inbox + ".>")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Unsubscribe()
	var out strings.Builder
	for _, x := range c {
		x.reply = strings.Replace(x.reply, "b.", strings.ReplaceAll(t.Name()[strings.Index(t.Name(), "/")+1:], ".", "")+".", 1)
		m := &nats.Msg{Subject: x.subject, Header: x.header, Data: []byte("x")}
		if m.Reply = inbox + ".plain"; x.reply != "" {
			m.Reply = inbox + "." + x.reply + ".$FI"
		}
		nc.PublishMsg(m)
		for wait := 5 * silence; ; wait = silence {
			r, err := s.NextMsg(wait)
			if err != nil {
				break
			}
			fmt.Fprintf(&out, "%s %s\n", strings.TrimPrefix(r.Subject, inbox), r.Data)
		}
	}
	return out.String()
}
