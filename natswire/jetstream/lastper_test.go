package jetstream_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// The last messages of their subjects are those that were the last when the consumer was made: once such a one is
// deleted nothing takes its place. (Where it was, nats-server says that there is nothing more to who does not wait.)
func TestCompareLastPerSubject(t *testing.T) {
	next := api("CONSUMER.MSG.NEXT.S.c", `{"batch":1,"no_wait":true}`)
	remove := func(seq string) step { return api("STREAM.MSG.DELETE.S", `{"seq":`+seq+`,"no_erase":true}`) }
	play := func(nc *nats.Conn) (told string) {
		t.Helper()
		var got []string
		for _, s := range []step{
			stream("S", `"subjects":["s.>"]`),
			pub("s.a", "1"), pub("s.b", "2"), pub("s.c", "3"), pub("s.a", "4"), pub("s.b", "5"), pub("s.a", "6"), pub("s.d", "7"), pub("s.b", "8"), pub("s.e", "9"),
			consumer("S", "c", `"durable_name":"c","ack_policy":"explicit","deliver_policy":"last_per_subject","filter_subject":"s.*"`),
			pub("s.b", "10"), pub("s.f", "11"),
			remove("8"), next, remove("7"), next, next, next, next, next, next, next, next,
			api("CONSUMER.INFO.S.c", ""),
		} {
			m, err := ask(nc, s)
			if err != nil {
				t.Fatal(err)
			}
			if s.subject == next.subject && m.Header.Get("Status") == "" {
				got = append(got, string(m.Data))
			}
			told = normal(m, nil)
		}
		return strings.Join(got, " ") + "\n" + told
	}
	if want, got := play(original(t)), play(start(t).connect()); want != got {
		t.Errorf("%s", diff(want, got))
	} else if !strings.HasPrefix(got, "3 6 9 10 11\n") {
		t.Error(got)
	}
}
