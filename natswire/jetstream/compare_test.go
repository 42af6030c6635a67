package jetstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// step is one request of a script that is run against nats-server and against us; the
// answers must be equal but for what differs by nature.
type step struct {
	subject string
	body    string
	header  nats.Header
}

func api(subject, body string) step { return step{subject: "$JS.API." + subject, body: body} }

func pub(subject, body string, kv ...string) step {
	s := step{subject: subject, body: body}
	if len(kv) > 0 {
		s.header = nats.Header{}
		for i := 0; i < len(kv); i += 2 {
			s.header.Add(kv[i], kv[i+1])
		}
	}
	return s
}

func stream(name, rest string) step {
	return api("STREAM.CREATE."+name, fmt.Sprintf(`{"name":%q%s}`, name, comma(rest)))
}

func update(name, rest string) step {
	return api("STREAM.UPDATE."+name, fmt.Sprintf(`{"name":%q%s}`, name, comma(rest)))
}

func consumer(stream, name, rest string) step {
	return api("CONSUMER.CREATE."+stream+"."+name, fmt.Sprintf(`{"stream_name":%q,"config":{%s}}`, stream, rest))
}

func comma(s string) string {
	if s == "" {
		return ""
	}
	return "," + s
}

// differs are the fields that no two servers share.
var differs = map[string]bool{
	"ts": true, "created": true, "last_active": true, "first_ts": true, "last_ts": true, "time": true,
	"pause_remaining": true, "bytes": true, "api": true, "storage": false, "Nats-Time-Stamp": true,
}

// normal is an answer without what differs by nature, in a canonical form.
func normal(m *nats.Msg, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	keys := make([]string, 0, len(m.Header))
	for k := range m.Header {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if !differs[k] {
			fmt.Fprintf(&b, "%s: %s\n", k, strings.Join(m.Header[k], ", "))
		}
	}
	var v any
	if json.Unmarshal(m.Data, &v) != nil || !strings.HasPrefix(strings.TrimSpace(string(m.Data)), "{") {
		b.Write(m.Data)
		return b.String()
	}
	if _, typed := v.(map[string]any)["type"]; !typed {
		b.Write(m.Data) // a PubAck: its very text counts
		return b.String()
	}
	out, err := json.MarshalIndent(strip(v), "", " ")
	if err != nil {
		return err.Error()
	}
	b.Write(out)
	return b.String()
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if differs[k] {
				v[k] = "…"
			} else {
				v[k] = strip(x)
			}
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}

func ask(nc *nats.Conn, s step) (*nats.Msg, error) {
	m := &nats.Msg{Subject: s.subject, Data: []byte(s.body), Header: s.header}
	r, err := nc.RequestMsg(m, patience)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, err
	}
	return r, err
}

// compare runs a script against both servers.
func compare(t *testing.T, script ...step) {
	t.Helper()
	theirs, ours := original(t), start(t).connect()
	for i, s := range script {
		m, err := ask(ours, s)
		want, got := normal(ask(theirs, s)), normal(m, err)
		if m != nil {
			valid(t, m.Data)
		}
		if want != got {
			t.Errorf("step %d: %s %s %v\n%s", i, s.subject, s.body, s.header, diff(want, got))
		}
	}
}

// diff shows the lines that only one of two texts has.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	count := map[string]int{}
	for _, l := range w {
		count[strings.TrimRight(l, ",")]++
	}
	for _, l := range g {
		count[strings.TrimRight(l, ",")]--
	}
	var b strings.Builder
	for _, l := range w {
		if l := strings.TrimRight(l, ","); count[l] > 0 {
			fmt.Fprintf(&b, "\tnats-server: %s\n", l)
		}
	}
	for _, l := range g {
		if l := strings.TrimRight(l, ","); count[l] < 0 {
			fmt.Fprintf(&b, "\tours:        %s\n", l)
		}
	}
	return b.String()
}

func TestCompareAccount(t *testing.T) {
	compare(t,
		api("INFO", ""), api("STREAM.NAMES", ""), api("STREAM.LIST", ""),
		stream("S", `"subjects":["s.>"],"max_bytes":1000000`), api("INFO", ""),
		step{subject: "$JS.API.INFO", header: nats.Header{"Nats-Required-Api-Level": {"6"}}},
		step{subject: "$JS.API.INFO", header: nats.Header{"Nats-Required-Api-Level": {"5"}}},
	)
}

func TestCompareStreamCreate(t *testing.T) {
	compare(t,
		stream("S", `"subjects":["s.>"]`),
		stream("S", `"subjects":["s.>"]`),
		stream("S", `"subjects":["t.>"]`),
		stream("S", `"subjects":["s.>"],"metadata":{"a":"b"}`),
		stream("T", `"subjects":["s.a"]`),
		stream("D", ""),
		stream("M", `"subjects":["m"],"storage":"memory","max_msgs":10,"max_age":1000000000,"max_msgs_per_subject":2,"discard":"new","retention":"interest","max_msg_size":100,"max_consumers":2,"allow_direct":true,"allow_rollup_hdrs":true,"deny_delete":true,"description":"d","no_ack":true,"duplicate_window":500000000,"metadata":{"a":"b"},"consumer_limits":{"max_ack_pending":5}`),
		stream("W", `"subjects":["w"],"retention":"workqueue","first_seq":100`),
		stream("bad name", ""), api("STREAM.CREATE.X", `{"name":"Y"}`),
		api("STREAM.CREATE.X", ""), api("STREAM.CREATE.X", "{"), api("STREAM.CREATE.X", `{"name":"X","nope":1}`),
		api("STREAM.CREATE.X", `{"name":"X","storage":"tape"}`), api("STREAM.CREATE.X", `{"name":"X","max_age":"1"}`),
		stream("X", `"num_replicas":3`), stream("X", `"num_replicas":7`), stream("X", `"num_replicas":-1`),
		stream("X", `"max_age":-1`), stream("X", `"max_age":5`), stream("X", `"duplicate_window":-1`),
		stream("X", `"duplicate_window":1`), stream("X", `"max_age":1000000000,"duplicate_window":2000000000`),
		stream("X", `"deny_purge":true,"allow_rollup_hdrs":true`), stream("X", `"discard_new_per_subject":true`),
		stream("X", `"discard":"new","discard_new_per_subject":true`), stream("X", `"sealed":true`),
		stream("X", `"mirror_direct":true`), stream("X", `"subjects":[">"]`), stream("X", `"subjects":["x..y"]`),
		stream("X", `"subjects":["x","x"]`), stream("X", `"subjects":["x.*","x.y"]`), stream("X", `"subjects":["$JS.API.>"]`),
		stream("X", `"subjects":["$SYS.>"]`),
		stream("X", `"pedantic":true,"max_msgs":-5`), stream("X", `"placement":{"preferred":"n"}`),
		stream("P", `"subjects":["p"],"placement":{}`), stream("A", `"subjects":["a"],"persist_mode":"async","storage":"memory"`),
		stream("X", `"allow_msg_ttl":false,"subject_delete_marker_ttl":5`), stream("X", `"subject_delete_marker_ttl":-5`),
		api("STREAM.NAMES", ""), api("STREAM.NAMES", `{"subject":"s.x"}`), api("STREAM.NAMES", `{"offset":2}`),
		api("STREAM.NAMES", `{"offset":100}`), api("STREAM.NAMES", `{"nope":2}`), api("STREAM.LIST", ""),
		api("STREAM.INFO.S", ""), api("STREAM.INFO.M", ""), api("STREAM.INFO.NOPE", ""),
		api("STREAM.DELETE.S", `{"a":1}`), api("STREAM.DELETE.S", ""), api("STREAM.DELETE.S", ""), api("STREAM.INFO.S", ""),
	)
}

func TestCompareStreamUpdate(t *testing.T) {
	compare(t,
		stream("S", `"subjects":["s.>"],"max_msgs":100`),
		stream("W", `"subjects":["w.>"],"retention":"workqueue"`),
		stream("D", `"subjects":["d.>"],"deny_delete":true,"deny_purge":true`),
		update("S", `"subjects":["s.>","t"],"max_msgs":50`),
		pub("t", "1"),
		update("S", `"subjects":["s.>"],"max_msgs":50`),
		pub("t", "1"),
		update("S", `"subjects":["s.>"],"storage":"memory"`),
		update("S", `"subjects":["s.>"],"retention":"workqueue"`),
		update("S", `"subjects":["s.>"],"retention":"interest"`),
		update("W", `"subjects":["w.>"],"retention":"limits"`),
		update("S", `"subjects":["w.x"]`), update("NOPE", ""), api("STREAM.UPDATE.S", `{"name":"T"}`),
		api("STREAM.UPDATE.S", `{`), update("S", `"num_replicas":3`),
		update("D", `"subjects":["d.>"],"deny_purge":true`), update("D", `"subjects":["d.>"],"deny_delete":true`),
		update("D", `"subjects":["d.>"],"deny_delete":true,"deny_purge":true,"sealed":true`),
		pub("d.x", "sealed"), update("D", `"subjects":["d.>"],"deny_delete":true,"deny_purge":true`),
		api("STREAM.INFO.D", ""),
	)
}

func TestComparePublish(t *testing.T) {
	compare(t,
		stream("S", `"subjects":["s.>"],"max_msg_size":200,"allow_rollup_hdrs":true`),
		stream("N", `"subjects":["n.>"],"discard":"new","max_msgs":2`),
		stream("P", `"subjects":["p.>"],"discard":"new","discard_new_per_subject":true,"max_msgs_per_subject":1`),
		stream("B", `"subjects":["b.>"],"discard":"new","max_bytes":100`),
		stream("F", `"subjects":["f"],"first_seq":10`),
		pub("s.a", "1"), pub("s.b", ""), pub("s.a", "3", "Nats-Msg-Id", "x"), pub("s.a", "3", "Nats-Msg-Id", "x"),
		pub("s.a", "x", "Nats-Expected-Stream", "T"), pub("s.a", "x", "Nats-Expected-Stream", "S"),
		pub("s.a", "x", "Nats-Expected-Last-Sequence", "1"), pub("s.a", "x", "Nats-Expected-Last-Sequence", "4"),
		pub("s.a", "x", "Nats-Expected-Last-Msg-Id", "x"), pub("s.a", "x", "Nats-Expected-Last-Msg-Id", "y"),
		pub("s.b", "x", "Nats-Expected-Last-Subject-Sequence", "2"), pub("s.b", "x", "Nats-Expected-Last-Subject-Sequence", "2"),
		pub("s.new", "x", "Nats-Expected-Last-Subject-Sequence", "0"), pub("s.new", "x", "Nats-Expected-Last-Subject-Sequence", "0"),
		pub("s.c", "x", "Nats-Expected-Last-Subject-Sequence", "1", "Nats-Expected-Last-Subject-Sequence-Subject", "s.*"),
		pub("s.c", "x", "Nats-Expected-Last-Subject-Sequence-Subject", "s.*"),
		pub("s.c", strings.Repeat("x", 300)), pub("s.c", strings.Repeat("x", 200)),
		pub("s.c", "x", "Nats-TTL", "5s"), pub("s.c", "x", "Nats-Incr", "1"), pub("s.c", "x", "Nats-Stream-Source", "1"),
		pub("s.c", "x", "Nats-Schedule", "@at 2030-01-01T00:00:00Z"), pub("s.c", "x", "Nats-Rollup", "nope"),
		pub("s.c", "x", "Nats-Batch-Id", "b", "Nats-Batch-Sequence", "1"),
		pub("s.a", "r", "Nats-Rollup", "sub"), api("STREAM.INFO.S", `{"subjects_filter":">"}`),
		pub("s.a", "r", "Nats-Rollup", "ALL"), api("STREAM.INFO.S", `{"subjects_filter":">","deleted_details":true}`),
		pub("n.1", "x"), pub("n.2", "x"), pub("n.3", "x"), pub("n.1", "x", "Nats-Rollup", "sub"),
		pub("p.1", "x"), pub("p.1", "x"), pub("p.2", "x"), pub("b.1", strings.Repeat("x", 200)), pub("f", "x"),
		api("STREAM.INFO.N", ""), api("STREAM.INFO.P", ""), api("STREAM.INFO.F", ""),
	)
}

func TestCompareMessages(t *testing.T) {
	compare(t,
		stream("S", `"subjects":["s.>"],"allow_direct":true`), stream("D", `"subjects":["d"],"deny_delete":true,"deny_purge":true`),
		pub("s.a", "1"), pub("s.b", "2", "X", "y"), pub("s.a", "3"), pub("s.c", "4"), pub("d", "x"),
		api("STREAM.MSG.GET.S", `{"seq":1}`), api("STREAM.MSG.GET.S", `{"seq":2}`), api("STREAM.MSG.GET.S", `{"seq":9}`),
		api("STREAM.MSG.GET.S", `{"seq":2,"no_hdr":true}`), api("STREAM.MSG.GET.S", `{"last_by_subj":"s.a"}`),
		api("STREAM.MSG.GET.S", `{"last_by_subj":"s.*"}`), api("STREAM.MSG.GET.S", `{"last_by_subj":"nope"}`),
		api("STREAM.MSG.GET.S", `{"seq":2,"next_by_subj":"s.a"}`), api("STREAM.MSG.GET.S", `{"next_by_subj":"s.c"}`),
		api("STREAM.MSG.GET.S", ""), api("STREAM.MSG.GET.S", `{"seq":1,"last_by_subj":"s.a"}`), api("STREAM.MSG.GET.S", `{"x":1}`),
		api("STREAM.MSG.GET.S", `{"start_time":"2020-01-01T00:00:00Z"}`), api("STREAM.MSG.GET.S", `{"batch":2,"seq":1}`),
		api("STREAM.MSG.GET.NOPE", `{"seq":1}`),
		api("DIRECT.GET.S", `{"seq":1}`), api("DIRECT.GET.S", `{"seq":2}`), api("DIRECT.GET.S", `{"seq":9}`),
		api("DIRECT.GET.S", `{"seq":2,"no_hdr":true}`), api("DIRECT.GET.S.s.a", ""), api("DIRECT.GET.S.s.b", ""),
		api("DIRECT.GET.S.s.nope", ""), api("DIRECT.GET.S", ""), api("DIRECT.GET.S", "{"), api("DIRECT.GET.S", "{}"),
		api("DIRECT.GET.S", `{"last_by_subj":"s.a"}`), api("DIRECT.GET.S", `{"last_by_subj":"s.a","seq":1}`),
		api("DIRECT.GET.S.s.a", `{"seq":1}`), api("DIRECT.GET.S", `{"next_by_subj":"s.a","seq":2}`), api("DIRECT.GET.D", `{"seq":1}`),
		api("DIRECT.GET.S", `{"multi_last":["s.a"],"up_to_seq":1,"up_to_time":"2020-01-01T00:00:00Z"}`),
		api("DIRECT.GET.S", `{"multi_last":["nope"]}`), api("DIRECT.GET.S", `{"batch":3,"seq":20}`),
		api("STREAM.MSG.DELETE.S", `{"seq":3,"no_erase":true}`), api("STREAM.MSG.DELETE.S", `{"seq":3}`),
		api("STREAM.MSG.DELETE.S", ""), api("STREAM.MSG.DELETE.S", `{"seq":99}`), api("STREAM.MSG.DELETE.D", `{"seq":1}`),
		api("STREAM.MSG.DELETE.NOPE", `{"seq":1}`),
		api("STREAM.INFO.S", `{"deleted_details":true}`), api("STREAM.INFO.S", `{"subjects_filter":"s.a"}`),
		api("STREAM.PURGE.D", ""), api("STREAM.PURGE.NOPE", ""), api("STREAM.PURGE.S", `{"seq":2,"keep":1}`),
		api("STREAM.PURGE.S", `{"filter":"s.b"}`), api("STREAM.PURGE.S", `{"keep":1}`), api("STREAM.INFO.S", ""),
		pub("s.a", "5"), pub("s.a", "6"), pub("s.b", "7"), api("STREAM.PURGE.S", `{"seq":7}`), api("STREAM.INFO.S", ""),
		api("STREAM.PURGE.S", ""), api("STREAM.INFO.S", ""), pub("s.a", "8"),
	)
}

func TestCompareConsumers(t *testing.T) {
	compare(t,
		stream("S", `"subjects":["s.>"]`), pub("s.a", "1"), pub("s.b", "2"), pub("s.a", "3"),
		stream("W", `"subjects":["w.>"],"retention":"workqueue"`), stream("L", `"subjects":["l"],"max_consumers":1,"consumer_limits":{"max_ack_pending":10,"inactive_threshold":3600000000000}`),
		consumer("S", "all", `"durable_name":"all"`), consumer("S", "all", `"durable_name":"all","ack_policy":"explicit"`),
		consumer("S", "ex", `"durable_name":"ex","ack_policy":"explicit"`), consumer("S", "ex", `"durable_name":"ex","ack_policy":"explicit"`),
		consumer("S", "ex", `"durable_name":"ex","ack_policy":"explicit","max_deliver":5`),
		consumer("S", "ex", `"durable_name":"ex","ack_policy":"explicit","deliver_policy":"new"`),
		consumer("S", "ex", `"durable_name":"ex","ack_policy":"explicit","deliver_subject":"x"`),
		consumer("S", "new", `"durable_name":"new","ack_policy":"all","deliver_policy":"new"`),
		consumer("S", "last", `"durable_name":"last","ack_policy":"explicit","deliver_policy":"last"`),
		consumer("S", "seq", `"durable_name":"seq","ack_policy":"explicit","deliver_policy":"by_start_sequence","opt_start_seq":2`),
		consumer("S", "time", `"durable_name":"time","ack_policy":"explicit","deliver_policy":"by_start_time","opt_start_time":"2020-01-01T00:00:00Z"`),
		consumer("S", "per", `"durable_name":"per","ack_policy":"explicit","deliver_policy":"last_per_subject","filter_subject":">"`),
		consumer("S", "fs", `"durable_name":"fs","ack_policy":"explicit","filter_subjects":["s.a","s.c"]`),
		consumer("S", "f.s.b", `"name":"f","ack_policy":"explicit","filter_subject":"s.b","inactive_threshold":100000000000`),
		consumer("S", "f.s.c", `"name":"f","ack_policy":"explicit","filter_subject":"s.b"`),
		consumer("S", "f.s.b", `"name":"f","ack_policy":"explicit","filter_subjects":["s.b","s.c"]`),
		consumer("S", "push", `"durable_name":"push","ack_policy":"explicit","deliver_subject":"d.x","idle_heartbeat":1000000000,"flow_control":true,"deliver_group":"g"`),
		consumer("S", "push", `"durable_name":"push","ack_policy":"explicit","deliver_subject":"d.y","idle_heartbeat":1000000000,"flow_control":true,"deliver_group":"g"`),
		consumer("S", "back", `"durable_name":"back","ack_policy":"explicit","max_deliver":3,"backoff":[1000000000,2000000000],"headers_only":true,"max_batch":5,"max_expires":1000000000,"max_bytes":100,"metadata":{"a":"b"},"description":"d"`),
		consumer("S", "back", `"durable_name":"back","ack_policy":"explicit","max_deliver":1,"backoff":[1000000000,2000000000]`),
		consumer("S", "x", `"durable_name":"y"`), consumer("S", "x", `"durable_name":"x","filter_subject":"a","filter_subjects":["b"]`),
		consumer("S", "x", `"filter_subjects":["a.*","a.b"]`), consumer("S", "x", `"filter_subjects":["a",""]`), consumer("S", "x", `"filter_subject":"a..b"`),
		consumer("S", "x", `"deliver_policy":"last_per_subject"`), consumer("S", "x", `"opt_start_seq":3`), consumer("S", "x", `"deliver_policy":"by_start_sequence"`),
		consumer("S", "x", `"deliver_policy":"by_start_time"`), consumer("S", "x", `"deliver_policy":"new","opt_start_time":"2020-01-01T00:00:00Z"`),
		consumer("S", "x", `"deliver_subject":"a.*"`), consumer("S", "x", `"deliver_subject":"a..b"`), consumer("S", "x", `"deliver_subject":"s.a"`),
		consumer("S", "x", `"deliver_subject":"a","max_waiting":5`), consumer("S", "x", `"deliver_subject":"a","ack_policy":"none","max_ack_pending":5`),
		consumer("S", "x", `"deliver_subject":"a","idle_heartbeat":5`), consumer("S", "x", `"deliver_subject":"a","flow_control":true`),
		consumer("S", "x", `"idle_heartbeat":1000000000`), consumer("S", "x", `"flow_control":true`), consumer("S", "x", `"rate_limit_bps":5`),
		consumer("S", "x", `"max_expires":5`), consumer("S", "x", `"ack_wait":-5`), consumer("S", "x", `"backoff":[-5]`),
		consumer("S", "x", `"num_replicas":3`), consumer("S", "x", `"num_replicas":-3`), consumer("S", "x", `"sample_freq":"x"`),
		consumer("S", "x", `"priority_groups":["a"]`), consumer("S", "x", `"priority_policy":"overflow"`), consumer("S", "x", `"direct":true`),
		consumer("S", "x", `"what":1`), consumer("NOPE", "x", ""), consumer("S", "a>b", ""),
		api("CONSUMER.CREATE.S.x", `{"stream_name":"T","config":{}}`), api("CONSUMER.CREATE.S", `{"stream_name":"S","config":{"durable_name":"x"}}`),
		api("CONSUMER.DURABLE.CREATE.S.leg", `{"stream_name":"S","config":{"durable_name":"leg","ack_policy":"explicit"}}`),
		api("CONSUMER.DURABLE.CREATE.S.leg", `{"stream_name":"S","config":{"durable_name":"gel"}}`), api("CONSUMER.DURABLE.CREATE.S.leg", `{"stream_name":"S","config":{}}`),
		api("CONSUMER.CREATE.S.act", `{"stream_name":"S","action":"update","config":{"durable_name":"act"}}`),
		api("CONSUMER.CREATE.S.act", `{"stream_name":"S","action":"create","config":{"durable_name":"act"}}`),
		api("CONSUMER.CREATE.S.act", `{"stream_name":"S","action":"create","config":{"durable_name":"act"}}`),
		api("CONSUMER.CREATE.S.act", `{"stream_name":"S","action":"create","config":{"durable_name":"act","max_deliver":3}}`),
		api("CONSUMER.CREATE.S.act", `{"stream_name":"S","action":"what","config":{"durable_name":"act"}}`),
		consumer("W", "a", `"durable_name":"a","ack_policy":"none"`), consumer("W", "a", `"durable_name":"a","ack_policy":"all"`),
		consumer("W", "a", `"durable_name":"a","ack_policy":"explicit","deliver_policy":"new"`), consumer("W", "a", `"durable_name":"a","ack_policy":"explicit","filter_subject":"w.a"`),
		consumer("W", "b", `"durable_name":"b","ack_policy":"explicit"`), consumer("W", "b", `"durable_name":"b","ack_policy":"explicit","filter_subject":"w.*"`),
		consumer("W", "b", `"durable_name":"b","ack_policy":"explicit","filter_subject":"w.b"`),
		consumer("L", "a", `"durable_name":"a","ack_policy":"explicit","max_ack_pending":20`), consumer("L", "a", `"durable_name":"a","inactive_threshold":7200000000000`),
		consumer("L", "a", `"durable_name":"a","ack_policy":"explicit"`), consumer("L", "b", `"durable_name":"b","ack_policy":"explicit"`),
		update("L", `"subjects":["l"],"max_consumers":1,"consumer_limits":{"max_ack_pending":5}`),
		api("CONSUMER.NAMES.S", ""), api("CONSUMER.NAMES.S", `{"offset":3}`), api("CONSUMER.NAMES.NOPE", ""), api("CONSUMER.LIST.S", ""), api("CONSUMER.LIST.L", `{"x":1}`),
		api("CONSUMER.INFO.S.ex", ""), api("CONSUMER.INFO.S.nope", ""), api("CONSUMER.INFO.NOPE.x", ""), api("CONSUMER.INFO.S.ex", "x"),
		api("CONSUMER.PAUSE.S.ex", `{"pause_until":"2040-01-01T00:00:00Z"}`), api("CONSUMER.INFO.S.ex", ""), api("CONSUMER.PAUSE.S.ex", `{}`), api("CONSUMER.PAUSE.S.ex", ``),
		api("CONSUMER.PAUSE.S.nope", ``), api("CONSUMER.INFO.S.ex", ""), api("CONSUMER.RESET.S.ex", `{"seq":2}`), api("CONSUMER.RESET.S.new", `{"seq":2}`),
		api("CONSUMER.RESET.S.seq", `{"seq":1}`), api("CONSUMER.RESET.S.seq", ``), api("CONSUMER.INFO.S.ex", ""),
		api("CONSUMER.DELETE.S.ex", "x"), api("CONSUMER.DELETE.S.ex", ""), api("CONSUMER.DELETE.S.ex", ""), api("CONSUMER.DELETE.NOPE.ex", ""),
		api("CONSUMER.MSG.NEXT.S.push", ""), api("CONSUMER.MSG.NEXT.S.nope", ""), api("CONSUMER.UNPIN.S.all", `{"group":"a"}`),
	)
}

func TestComparePull(t *testing.T) {
	next := func(c, body string) step { return api("CONSUMER.MSG.NEXT.S."+c, body) }
	compare(t,
		stream("S", `"subjects":["s.>"]`), pub("s.a", "1"), pub("s.b", "2", "X", "y"), pub("s.a", "3"),
		consumer("S", "c", `"durable_name":"c","ack_policy":"explicit","max_batch":5,"max_expires":5000000000,"max_bytes":1000`),
		next("c", ""), next("c", "1"), next("c", `{"batch":1,"no_wait":true}`), next("c", `{"batch":1,"no_wait":true}`),
		next("c", `{"batch":1,"expires":50000000}`), next("c", `{"batch":1,"expires":50000000,"no_wait":true}`),
		next("c", `{"batch":6}`), next("c", `{"batch":1,"expires":6000000000}`), next("c", `{"batch":1,"max_bytes":2000}`),
		next("c", `{"batch":`), next("c", `{"batch":1,"expires":100000000,"idle_heartbeat":90000000}`),
		next("c", `{"batch":1,"expires":50000000,"priority":11}`), next("c", `{"batch":1,"expires":50000000,"id":"x"}`),
		next("c", `{"batch":1,"expires":50000000,"min_pending":1}`), next("c", `{"batch":1,"expires":50000000,"priority":1}`),
		step{subject: "$JS.API.CONSUMER.MSG.NEXT.S.c", header: nats.Header{"Nats-Required-Api-Level": {"9"}}},
		pub("s.c", strings.Repeat("x", 100)), next("c", `{"batch":1,"expires":5000000000,"max_bytes":50}`), next("c", `{"batch":1,"expires":5000000000,"max_bytes":500}`),
		api("CONSUMER.INFO.S.c", ""), api("STREAM.INFO.S", ""),
	)
}
