package kafkawire_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// peer is the address of a real Apache Kafka: then its answers are recorded in
// testdata, and become what this server must answer.
var peer = flag.String("peer", "", "record the answers of the Kafka at this address")

// player sends requests and writes down the answers, with what differs from one
// run to the next replaced.
type player struct {
	testing.TB
	c    *kgo.Client
	out  bytes.Buffer
	ids  map[[16]byte]int
	pids map[int64]int
	byID map[string][16]byte // topic ids by name
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// numbers are times in texts.
var numbers = regexp.MustCompile(`\[?-?[0-9]{13,}`)

// text is an error message that this server gives where Kafka gives none; insync
// is a default that Kafka 4.3 takes from the cluster's settings.
var (
	message = regexp.MustCompile(` ErrorMessage="[^"\\]*(?:\\.[^"\\]*)*"`)
	insync  = regexp.MustCompile(`(Name="min.insync.replicas" Value="1" Source=)3`)
)

// say starts a chapter.
func (p *player) say(format string, args ...any) { fmt.Fprintf(&p.out, "\n# "+format+"\n", args...) }

// ask sends q in a version and writes down the answer.
func (p *player) ask(version int16, q kmsg.Request) kmsg.Response {
	p.Helper()
	q.SetVersion(version)
	r := p.send(version, q)
	fmt.Fprintf(&p.out, "%s v%d: %s\n", strings.TrimSuffix(reflect.TypeOf(q).Elem().Name(), "Request"), version, p.dump(reflect.ValueOf(r)))
	return r
}

func (p *player) send(version int16, q kmsg.Request) kmsg.Response {
	p.Helper()
	// The client chooses the highest version; MaxVersion bounds it.
	r, err := p.c.Broker(1).Request(p.Context(), &bounded{q, version})
	if err != nil {
		p.Fatalf("%T v%d: %v", q, version, err)
	}
	return r
}

// bounded is a request with a lower highest version.
type bounded struct {
	kmsg.Request
	max int16
}

func (b *bounded) MaxVersion() int16 { return b.max }

func (p *player) dump(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "null"
		}
		return p.dump(v.Elem())
	case reflect.Struct:
		var fs []string
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			switch name {
			case "Version", "UnknownTags", "ThrottleMillis", "Documentation", "Port", "Host":
				continue
			}
			f := v.Field(i)
			if f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
				continue
			}
			s := p.dump(f)
			switch {
			case name == "ProducerID" && f.Int() >= 0:
				n, ok := p.pids[f.Int()]
				if !ok {
					n = len(p.pids) + 1
					p.pids[f.Int()] = n
				}
				s = fmt.Sprint("pid-", n)
			case f.Kind() == reflect.Int64 && f.Int() > 1e12 && f.Int() < 1e14:
				s = "TIME"
			}
			fs = append(fs, name+"="+s)
		}
		return "{" + strings.Join(fs, " ") + "}"
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("%q", v.Bytes())
		}
		var es []string
		for i := range v.Len() {
			es = append(es, p.dump(v.Index(i)))
		}
		slices.Sort(es) // Kafka's order is often that of a hash map
		return "[" + strings.Join(es, " ") + "]"
	case reflect.Array:
		id := v.Interface().([16]byte)
		n, ok := p.ids[id]
		if !ok {
			n = len(p.ids) + 1
			p.ids[id] = n
		}
		return fmt.Sprint("id-", n)
	case reflect.String:
		return fmt.Sprintf("%q", numbers.ReplaceAllString(uuids.ReplaceAllString(v.String(), "UUID"), "NUMBER"))
	}
	return fmt.Sprint(v.Interface())
}

// Every answer here is what Apache Kafka 4.3.1 answers to the same requests. To
// record it anew: go test ./kafkawire -run TestLikeKafka -peer HOST:PORT, with a
// broker that has no topics.
func TestLikeKafka(t *testing.T) {
	addr := *peer
	if addr == "" {
		s := start(t, nil)
		addr = s.addr
	}
	for _, ch := range chapters {
		t.Run(ch.name, func(t *testing.T) {
			c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("test"), kgo.RequestRetries(0))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p := &player{TB: t, c: c, ids: map[[16]byte]int{}, pids: map[int64]int{}, byID: map[string][16]byte{}}
			ch.play(p)
			file := filepath.Join("testdata", ch.name+".txt")
			if *peer != "" {
				if err := os.WriteFile(file, p.out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, wanted := strings.Split(p.out.String(), "\n"), strings.Split(string(want), "\n")
			for i := range max(len(got), len(wanted)) {
				var g, w string
				if i < len(got) {
					g = got[i]
				}
				if i < len(wanted) {
					w = wanted[i]
				}
				w = insync.ReplaceAllString(w, "${1}5")
				if strings.HasPrefix(g, "Produce ") && !message.MatchString(w) {
					g = message.ReplaceAllString(g, "")
				}
				if g != w {
					t.Errorf("line %d of %s:\n got %s\nwant %s", i+1, file, g, w)
				}
			}
		})
	}
}

var chapters = []struct {
	name string
	play func(p *player)
}{
	{"topics", playTopics},
	{"configs", playConfigs},
	{"produce", playProduce},
	{"idempotence", playIdempotence},
	{"fetch", playFetch},
	{"offsets", playOffsets},
	{"groups", playGroups},
	{"cluster", playCluster},
}

// topic makes a topic without writing it down, and waits until it is seen.
func (p *player) topic(name string, partitions int32, configs ...string) {
	p.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis = 10000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	q.Topics = append(q.Topics, t)
	r := p.send(7, q).(*kmsg.CreateTopicsResponse)
	if e := r.Topics[0].ErrorCode; e != 0 {
		p.Fatalf("create %s: %d %v", name, e, r.Topics[0].ErrorMessage)
	}
	p.byID[name] = r.Topics[0].TopicID
	p.await(name)
	for part := range partitions {
		for range 1000 { // until it has a leader
			q := kmsg.NewPtrListOffsetsRequest()
			t := kmsg.NewListOffsetsRequestTopic()
			tp := kmsg.NewListOffsetsRequestTopicPartition()
			t.Topic, tp.Partition, tp.Timestamp = name, part, -1
			t.Partitions = append(t.Partitions, tp)
			q.Topics = append(q.Topics, t)
			if r := p.send(5, q).(*kmsg.ListOffsetsResponse); r.Topics[0].Partitions[0].ErrorCode == 0 {
				break
			}
		}
	}
}

// await asks for a topic until it is there.
func (p *player) await(name string) {
	p.Helper()
	for range 1000 {
		q := kmsg.NewPtrMetadataRequest()
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		q.Topics = append(q.Topics, t)
		if r := p.send(12, q).(*kmsg.MetadataResponse); r.Topics[0].ErrorCode == 0 {
			p.byID[name] = r.Topics[0].TopicID
			return
		}
	}
	p.Fatalf("topic %s does not come", name)
}

func ptr(s string) *string { return &s }
