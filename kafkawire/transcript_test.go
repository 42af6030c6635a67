package kafkawire_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/kafkawire/wire"
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

func (p *player) create(version int16, edit func(q *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic)) kmsg.Response {
	q := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.NumPartitions, t.ReplicationFactor = 1, 1
	edit(q, &t)
	q.Topics = append([]kmsg.CreateTopicsRequestTopic{t}, q.Topics...)
	return p.ask(version, q)
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

func playTopics(p *player) {
	name := func(n string) func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {
		return func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic = n }
	}
	p.say("create, again, in all versions")
	p.create(7, name("a"))
	p.await("a")
	for v := int16(2); v <= 7; v++ {
		p.create(v, name("a"))
	}
	p.say("names")
	for _, n := range []string{"", ".", "..", "a b", "ä", strings.Repeat("x", 250), "__cluster_metadata"} {
		p.create(7, name(n))
	}
	p.create(7, name("col.x"))
	p.await("col.x")
	p.create(7, name("col_x"))
	p.say("partitions and replicas")
	for _, n := range []int32{0, -2, 10001} {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) { t.Topic, t.NumPartitions = "b", n })
	}
	for _, n := range []int16{0, -2, 2} {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic, t.ReplicationFactor = "b", n
		})
	}
	p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic, t.NumPartitions, t.ReplicationFactor = "defaults", -1, -1
	})
	assign := func(parts, rf int32, as ...[]int32) {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic, t.NumPartitions, t.ReplicationFactor = "assigned", parts, int16(rf)
			for _, a := range as {
				r := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
				r.Partition, r.Replicas = a[0], a[1:]
				t.ReplicaAssignment = append(t.ReplicaAssignment, r)
			}
		})
	}
	assign(1, -1, []int32{0, 1})
	assign(-1, 1, []int32{0, 1})
	assign(-1, -1, []int32{0, 1}, []int32{2, 1})
	assign(-1, -1, []int32{0, 1}, []int32{0, 1})
	assign(-1, -1, []int32{0, 1, 1})
	assign(-1, -1, []int32{0, 7})
	assign(-1, -1, []int32{0})
	assign(-1, -1, []int32{0, 1}, []int32{1, 1})
	p.say("the same name twice; validate only")
	p.create(7, func(q *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "twice"
		q.Topics = append(q.Topics, *t)
	})
	p.create(5, func(q *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "valid"
		q.ValidateOnly = true
	})
	p.say("configs")
	for _, kv := range [][2]string{
		{"foo", "1"}, {"retention.ms", "abc"}, {"cleanup.policy", "shred"}, {"segment.bytes", "100"}, {"max.message.bytes", "-1"},
		{"message.format.version", "3.0"}, {"preallocate", "maybe"}, {"min.cleanable.dirty.ratio", "2"}, {"min.cleanable.dirty.ratio", "x"},
		{"message.timestamp.type", "Never"}, {"compression.type", "brotli"}, {"retention.ms", "-2"}, {"flush.messages", "0"},
		{"compression.gzip.level", "10"}, {"compression.lz4.level", "0"}, {"compression.zstd.level", "23"}, {"min.insync.replicas", "0"},
		{"segment.ms", "0"}, {"index.interval.bytes", "-1"}, {"local.retention.ms", "-3"}, {"remote.storage.enable", "true"},
		{"max.compaction.lag.ms", "0"}, {"segment.index.bytes", "3"}, {"retention.bytes", "99999999999999999999"},
	} {
		p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
			t.Topic = "c"
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = kv[0], &kv[1]
			t.Configs = append(t.Configs, c)
		})
	}
	p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "c"
		for _, kv := range [][2]string{{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}} {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = kv[0], &kv[1]
			t.Configs = append(t.Configs, c)
		}
	})
	p.create(7, func(_ *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic) {
		t.Topic = "c"
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name = "retention.ms"
		t.Configs = append(t.Configs, c)
	})
	p.say("more partitions")
	p.topic("pp", 2)
	grow := func(topic string, n int32, edit func(t *kmsg.CreatePartitionsRequestTopic)) {
		q := kmsg.NewPtrCreatePartitionsRequest()
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = topic, n
		if edit != nil {
			edit(&t)
		}
		q.Topics = append(q.Topics, t)
		p.ask(3, q)
	}
	grow("pp", 2, nil)
	grow("pp", 1, nil)
	grow("pp", 0, nil)
	grow("nosuch", 3, nil)
	grow("pp", 3, func(t *kmsg.CreatePartitionsRequestTopic) {
		t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1}}, {Replicas: []int32{1}}}
	})
	grow("pp", 3, func(t *kmsg.CreatePartitionsRequestTopic) {
		t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{9}}}
	})
	grow("pp", 3, nil)
	p.say("delete")
	p.topic("gone", 1)
	p.topic("gone2", 1)
	for v := int16(1); v <= 5; v++ {
		q := kmsg.NewPtrDeleteTopicsRequest()
		q.TopicNames = []string{"nosuch"}
		p.ask(v, q)
	}
	del := func(name *string, id [16]byte) {
		q := kmsg.NewPtrDeleteTopicsRequest()
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic, t.TopicID = name, id
		q.Topics = append(q.Topics, t)
		p.ask(6, q)
	}
	del(nil, [16]byte{})
	del(ptr("gone"), p.byID["gone"])
	del(nil, [16]byte{1, 2, 3})
	del(ptr("gone"), [16]byte{})
	del(nil, p.byID["gone2"])
	q := kmsg.NewPtrDeleteTopicsRequest()
	for range 2 {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = ptr("pp")
		q.Topics = append(q.Topics, t)
	}
	p.ask(6, q)
}

func playConfigs(p *player) {
	p.topic("cfg", 1, "retention.ms", "1000")
	describe := func(version int16, typ kmsg.ConfigResourceType, name string, keys []string, synonyms bool) {
		q := kmsg.NewPtrDescribeConfigsRequest()
		q.IncludeSynonyms = synonyms
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = typ, name, keys
		q.Resources = append(q.Resources, r)
		p.ask(version, q)
	}
	topic, broker := kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	p.say("describe")
	describe(4, topic, "cfg", []string{"retention.ms", "cleanup.policy", "max.message.bytes", "preallocate", "min.cleanable.dirty.ratio", "nosuch"}, true)
	for v := int16(1); v <= 4; v++ {
		describe(v, topic, "cfg", []string{"retention.ms", "segment.bytes"}, false)
	}
	describe(4, topic, "nosuch", nil, false)
	describe(4, topic, "a b", nil, false)
	describe(4, broker, "7", nil, false)
	describe(4, broker, "x", nil, false)
	alter := func(typ kmsg.ConfigResourceType, name, key string, op kmsg.IncrementalAlterConfigOp, value *string) {
		q := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = typ, name
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = key, op, value
		r.Configs = append(r.Configs, c)
		q.Resources = append(q.Resources, r)
		p.ask(1, q)
	}
	p.say("alter")
	alter(topic, "cfg", "retention.ms", 0, nil)
	alter(topic, "cfg", "retention.ms", 2, ptr("1"))
	alter(topic, "cfg", "retention.ms", 3, ptr("1"))
	alter(topic, "cfg", "retention.ms", 0, ptr("abc"))
	alter(topic, "cfg", "nosuch", 0, ptr("1"))
	alter(topic, "cfg", "nosuch", 1, nil)
	alter(topic, "cfg", "cleanup.policy", 2, ptr("compact"))
	alter(topic, "cfg", "cleanup.policy", 3, ptr("delete"))
	alter(topic, "nosuch", "retention.ms", 0, ptr("1"))
	alter(broker, "1", "log.dirs", 0, ptr("/x"))
	alter(broker, "7", "log.cleaner.threads", 0, ptr("2"))
	alter(99, "x", "y", 0, ptr("2"))
	alter(topic, "cfg", "retention.ms", 1, nil)
	q := kmsg.NewPtrAlterConfigsRequest()
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = topic, "cfg"
	for _, kv := range [][2]string{{"segment.ms", "5000"}, {"nosuch", "1"}} {
		c := kmsg.NewAlterConfigsRequestResourceConfig()
		c.Name, c.Value = kv[0], &kv[1]
		r.Configs = append(r.Configs, c)
		q.Resources = []kmsg.AlterConfigsRequestResource{r}
		p.ask(2, q)
	}
}

// batch makes a record batch of n records with key "k" and value "v".
func batch(n int, edit func(b *kmsg.RecordBatch)) []byte {
	b := kmsg.NewRecordBatch()
	b.Magic, b.PartitionLeaderEpoch, b.ProducerID, b.ProducerEpoch, b.FirstSequence = 2, -1, -1, -1, -1
	b.NumRecords, b.LastOffsetDelta = int32(n), int32(n-1)
	b.FirstTimestamp = time.Now().UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	for i := range n {
		r := kmsg.NewRecord()
		r.OffsetDelta, r.Key, r.Value = int32(i), []byte("k"), []byte("v")
		b.Records = append(b.Records, sized(r)...)
	}
	if edit != nil {
		edit(&b)
	}
	return seal(&b)
}

// seal encodes a batch with its length and checksum.
func seal(b *kmsg.RecordBatch) []byte {
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-12))
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

func sized(r kmsg.Record) []byte {
	r.Length = 0
	r.Length = int32(len(r.AppendTo(nil)) - 1)
	return r.AppendTo(nil)
}

func (p *player) produce(version int16, topic string, partition int32, records []byte, edit func(q *kmsg.ProduceRequest)) kmsg.Response {
	p.Helper()
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = -1, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, p.byID[topic]
	tp := kmsg.NewProduceRequestTopicPartition()
	tp.Partition, tp.Records = partition, records
	t.Partitions = append(t.Partitions, tp)
	q.Topics = append(q.Topics, t)
	if edit != nil {
		edit(q)
	}
	return p.ask(version, q)
}

func playProduce(p *player) {
	p.topic("p", 2)
	p.say("versions")
	for v := int16(3); v <= 13; v++ {
		p.produce(v, "p", 0, batch(2, nil), nil)
	}
	p.say("acks")
	for _, acks := range []int16{1, 2, -2} {
		p.produce(13, "p", 0, batch(1, nil), func(q *kmsg.ProduceRequest) { q.Acks = acks })
	}
	p.say("unknown places")
	p.produce(12, "nosuch", 0, batch(1, nil), nil)
	p.produce(12, "a b", 0, batch(1, nil), nil)
	p.produce(12, "p", 7, batch(1, nil), nil)
	p.produce(13, "nosuch", 0, batch(1, nil), nil)
	p.produce(9, "p", -1, batch(1, nil), nil)
	p.say("batches")
	good := batch(3, nil)
	edit := func(f func(b *kmsg.RecordBatch)) { p.produce(11, "p", 1, batch(3, f), nil) }
	p.produce(11, "p", 1, []byte{}, nil)
	p.produce(11, "p", 1, good[:len(good)-1], nil)
	p.produce(11, "p", 1, good[:30], nil)
	p.produce(11, "p", 1, append(bytes.Clone(good), good...), nil)
	crc := bytes.Clone(good)
	crc[70] ^= 1
	p.produce(11, "p", 1, crc, nil)
	edit(func(b *kmsg.RecordBatch) { b.Magic = 9 })
	edit(func(b *kmsg.RecordBatch) { b.FirstOffset = 5 })
	edit(func(b *kmsg.RecordBatch) { b.LastOffsetDelta = 7 })
	edit(func(b *kmsg.RecordBatch) { b.NumRecords = 0 })
	edit(func(b *kmsg.RecordBatch) { b.NumRecords = 2 })
	edit(func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 4, 3 })
	edit(func(b *kmsg.RecordBatch) { b.Attributes |= 0x20 })
	edit(func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = 5, 0, -1 })
	edit(func(b *kmsg.RecordBatch) { b.Attributes |= 0x10 })
	p.say("several partitions, one of them bad; the same twice")
	p.produce(13, "p", 0, good, func(q *kmsg.ProduceRequest) {
		tp := kmsg.NewProduceRequestTopicPartition()
		tp.Partition, tp.Records = 1, crc
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, tp)
	})
	p.say("size")
	p.topic("small", 1, "max.message.bytes", "200")
	value := func(n int) func(b *kmsg.RecordBatch) {
		return func(b *kmsg.RecordBatch) {
			r := kmsg.NewRecord()
			r.Value = bytes.Repeat([]byte("x"), n)
			b.Records = sized(r)
		}
	}
	for n := 129; n <= 132; n++ {
		p.produce(11, "small", 0, batch(1, value(n)), nil)
	}
	p.say("compacted")
	p.topic("pc", 1, "cleanup.policy", "compact")
	p.produce(7, "pc", 0, batch(1, value(1)), nil)
	p.produce(11, "pc", 0, batch(4, func(b *kmsg.RecordBatch) {
		b.Records = nil
		for i := range 4 {
			r := kmsg.NewRecord()
			r.OffsetDelta = int32(i)
			b.Records = append(b.Records, sized(r)...)
		}
	}), nil)
	p.produce(11, "pc", 0, batch(1, nil), nil)
	p.say("times")
	p.produce(11, "p", 0, batch(1, func(b *kmsg.RecordBatch) {
		b.FirstTimestamp += 2 * 3600 * 1000
		b.MaxTimestamp = b.FirstTimestamp
	}), func(q *kmsg.ProduceRequest) {})
	p.topic("pt", 1, "message.timestamp.type", "LogAppendTime")
	p.produce(11, "pt", 0, batch(1, func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = 5, 5 }), nil)
}

func playIdempotence(p *player) {
	p.topic("idem", 1)
	pid := func(version int16, edit func(q *kmsg.InitProducerIDRequest)) int64 {
		q := kmsg.NewPtrInitProducerIDRequest()
		q.TransactionTimeoutMillis = 2147483647
		if edit != nil {
			edit(q)
		}
		for {
			r := p.send(version, q).(*kmsg.InitProducerIDResponse)
			if r.ErrorCode >= 14 && r.ErrorCode <= 16 {
				continue // still starting
			}
			fmt.Fprintf(&p.out, "InitProducerID v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
			return r.ProducerID
		}
	}
	var id int64
	for v := int16(0); v <= 5; v++ {
		id = pid(v, nil)
	}
	pid(5, func(q *kmsg.InitProducerIDRequest) { q.TransactionalID = ptr("") })
	send := func(id int64, epoch int16, first int32, n int) {
		p.produce(11, "idem", 0, batch(n, func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = id, epoch, first }), nil)
	}
	p.say("in order, and again")
	for first := int32(0); first < 14; first += 2 {
		send(id, 0, first, 2)
	}
	send(id, 0, 12, 2)
	send(id, 0, 4, 2)
	p.say("too old, gap, overlap, part")
	send(id, 0, 2, 2)
	send(id, 0, 16, 2)
	send(id, 0, 13, 2)
	send(id, 0, 12, 1)
	p.say("epochs")
	send(id, 1, 5, 1)
	send(id, 1, 0, 1)
	send(id, 0, 14, 1)
	send(id, 1, 0, 1)
	p.say("an id that is not known")
	send(987654, 0, 77, 1)
	send(987654, 0, 78, 1)
	p.say("the numbers wrap")
	send(987655, 0, 2147483646, 4)
	send(987655, 0, 2, 1)
	send(987655, 0, 2147483646, 4)
}

func (p *player) fetch(version int16, edit func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition)) *kmsg.FetchResponse {
	q := kmsg.NewPtrFetchRequest()
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 200, 1, 50<<20, -1
	t := kmsg.NewFetchRequestTopic()
	tp := kmsg.NewFetchRequestTopicPartition()
	tp.PartitionMaxBytes, tp.CurrentLeaderEpoch = 1<<20, -1
	edit(q, &t, &tp)
	if t.TopicID == ([16]byte{}) {
		t.TopicID = p.byID[t.Topic]
	}
	if t.Topic != "" || t.TopicID != ([16]byte{}) {
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
	}
	r := p.send(version, q).(*kmsg.FetchResponse)
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			// Batches are compared by offsets and size, in whole ones.
			tp := &r.Topics[i].Partitions[j]
			tp.RecordBatches = []byte(describeBatches(tp.RecordBatches))
		}
	}
	sid := r.SessionID
	if r.SessionID != 0 {
		r.SessionID = 1
	}
	fmt.Fprintf(&p.out, "Fetch v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
	r.SessionID = sid
	return r
}

func describeBatches(b []byte) string {
	var s []string
	for len(b) >= 61 {
		n := int(binary.BigEndian.Uint32(b[8:])) + 12
		if n > len(b) {
			break
		}
		k := wire.Batch(b[:n])
		s = append(s, fmt.Sprintf("%d-%d", k.BaseOffset(), k.BaseOffset()+int64(k.LastOffsetDelta())))
		b = b[n:]
	}
	return strings.Join(s, " ")
}

func playFetch(p *player) {
	p.topic("f", 2)
	p.topic("g", 1)
	for range 3 {
		p.produce(11, "f", 0, batch(10, nil), nil)
	}
	at := func(topic string, part int32, offset int64) func(*kmsg.FetchRequest, *kmsg.FetchRequestTopic, *kmsg.FetchRequestTopicPartition) {
		return func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
			t.Topic, tp.Partition, tp.FetchOffset = topic, part, offset
		}
	}
	p.say("versions")
	for v := int16(4); v <= 17; v++ {
		p.fetch(v, at("f", 0, 0))
	}
	p.say("offsets")
	for _, o := range []int64{0, 5, 15, 29, 30, 31, -1, -5} {
		p.fetch(13, at("f", 0, o))
	}
	p.say("limits: the first batch comes whole")
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		tp.PartitionMaxBytes = 1
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		q.MaxBytes = 1
	})
	p.say("unknown places, epochs, followers")
	p.fetch(12, at("nosuch", 0, 0))
	p.fetch(12, at("f", 9, 0))
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		t.TopicID = [16]byte{9}
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		tp.CurrentLeaderEpoch = 7
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 0)(q, t, tp)
		q.IsolationLevel = 1
	})
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {})
	p.say("a session")
	r := p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		at("f", 0, 20)(q, t, tp)
		q.SessionEpoch = 0
		t.Partitions = append(t.Partitions, *tp)
		tp.Partition, tp.FetchOffset = 1, 0
	})
	sid := r.SessionID
	in := func(epoch int32, edit func(*kmsg.FetchRequest, *kmsg.FetchRequestTopic, *kmsg.FetchRequestTopicPartition)) {
		p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
			q.SessionID, q.SessionEpoch = sid, epoch
			if edit != nil {
				edit(q, t, tp)
			}
		})
	}
	in(1, nil)
	in(2, at("f", 0, 30))
	in(3, nil)
	p.produce(11, "f", 1, batch(2, nil), nil)
	in(4, nil)
	in(5, at("f", 1, 2))
	in(6, at("g", 0, 0))
	in(6, nil)
	p.say("the session after an epoch that is wrong")
	in(7, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.TopicID, f.Partitions = p.byID["f"], []int32{0}
		q.ForgottenTopics = append(q.ForgottenTopics, f)
	})
	in(9, nil)
	in(8, at("f", 1, 99))
	in(9, nil)
	in(10, at("f", 1, 2))
	p.fetch(12, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		q.SessionID, q.SessionEpoch = sid, 11
	})
	in(-1, at("f", 0, 0))
	in(11, nil)
}

func playOffsets(p *player) {
	p.topic("o", 1)
	base := time.Now().UnixMilli() - 100_000
	timed := func(deltas ...int64) []byte {
		return batch(len(deltas), func(b *kmsg.RecordBatch) {
			b.FirstTimestamp, b.MaxTimestamp, b.Records = base, base, nil
			for i, d := range deltas {
				r := kmsg.NewRecord()
				r.OffsetDelta, r.TimestampDelta64, r.Value = int32(i), d, []byte("v")
				b.Records = append(b.Records, sized(r)...)
				b.MaxTimestamp = max(b.MaxTimestamp, base+d)
			}
		})
	}
	list := func(version int16, topic string, part, epoch int32, ts int64) {
		q := kmsg.NewPtrListOffsetsRequest()
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		tp := kmsg.NewListOffsetsRequestTopicPartition()
		tp.Partition, tp.Timestamp, tp.CurrentLeaderEpoch = part, ts, epoch
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		p.ask(version, q)
	}
	p.say("an empty partition")
	for _, ts := range []int64{-1, -2, -3, -4, -5, -6, 0} {
		list(11, "o", 0, -1, ts)
	}
	p.produce(11, "o", 0, timed(0, 10, 20), nil)
	p.produce(11, "o", 0, timed(50, 40, 30), nil)
	p.produce(11, "o", 0, timed(35, 45), nil)
	p.say("places")
	for v := int16(1); v <= 11; v++ {
		list(v, "o", 0, -1, -1)
	}
	for _, ts := range []int64{-2, -3, -4, -5, -6} {
		list(11, "o", 0, -1, ts)
	}
	p.say("times")
	for _, d := range []int64{-5, 0, 1, 10, 21, 35, 45, 50, 51} {
		list(11, "o", 0, -1, base+d)
	}
	p.say("versions that do not know a place")
	for v, ts := range map[int16]int64{6: -3} {
		list(v, "o", 0, -1, ts)
	}
	list(7, "o", 0, -1, -4)
	list(8, "o", 0, -1, -5)
	list(10, "o", 0, -1, -6)
	p.say("errors")
	list(11, "nosuch", 0, -1, -1)
	list(11, "o", 5, -1, -1)
	list(11, "o", 0, 5, -1)
	p.say("epochs")
	epoch := func(topic string, current, e int32) {
		q := kmsg.NewPtrOffsetForLeaderEpochRequest()
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic = topic
		tp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		tp.CurrentLeaderEpoch, tp.LeaderEpoch = current, e
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		q.ReplicaID = -1
		p.ask(4, q)
	}
	epoch("o", -1, 0)
	epoch("o", 0, 0)
	epoch("o", -1, 5)
	epoch("o", -1, -1)
	epoch("o", 5, 0)
	epoch("nosuch", -1, 0)
	p.say("delete records")
	del := func(topic string, part int32, o int64) {
		q := kmsg.NewPtrDeleteRecordsRequest()
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = topic
		tp := kmsg.NewDeleteRecordsRequestTopicPartition()
		tp.Partition, tp.Offset = part, o
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		q.TimeoutMillis = 5000
		p.ask(2, q)
	}
	del("nosuch", 0, 1)
	del("o", 3, 1)
	del("o", 0, 9)
	del("o", 0, -2)
	del("o", 0, 4)
	del("o", 0, 2)
	list(11, "o", 0, -1, -2)
	list(11, "o", 0, -1, base)
	del("o", 0, -1)
	list(11, "o", 0, -1, -2)
	list(11, "o", 0, -1, base)
	p.fetch(13, func(q *kmsg.FetchRequest, t *kmsg.FetchRequestTopic, tp *kmsg.FetchRequestTopicPartition) {
		t.Topic, tp.FetchOffset = "o", 4
	})
}

func playGroups(p *player) {
	p.topic("gt", 2)
	for {
		q := kmsg.NewPtrFindCoordinatorRequest()
		q.CoordinatorKeys = []string{"g"}
		if p.send(4, q).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0 {
			break
		}
	}
	for loading := true; loading; { // until all groups' coordinators are there
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Groups = []string{"g", "h", "s", "simple", "nogroup", ""}
		loading = false
		for _, g := range p.send(5, q).(*kmsg.DescribeGroupsResponse).Groups {
			loading = loading || g.ErrorCode >= 14 && g.ErrorCode <= 16
		}
	}
	for v := int16(0); v <= 6; v++ {
		q := kmsg.NewPtrFindCoordinatorRequest()
		q.CoordinatorKey, q.CoordinatorKeys = "g", []string{"g", "h"}
		p.ask(v, q)
	}
	join := func(version int16, edit func(q *kmsg.JoinGroupRequest)) *kmsg.JoinGroupResponse {
		q := kmsg.NewPtrJoinGroupRequest()
		q.Group, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType = "g", 10000, 10000, "consumer"
		pr := kmsg.NewJoinGroupRequestProtocol()
		md := kmsg.NewConsumerMemberMetadata()
		md.Topics = []string{"gt"}
		pr.Name, pr.Metadata = "range", md.AppendTo(nil)
		q.Protocols = append(q.Protocols, pr)
		if edit != nil {
			edit(q)
		}
		return p.ask(version, q).(*kmsg.JoinGroupResponse)
	}
	sync := func(version int16, edit func(q *kmsg.SyncGroupRequest)) {
		q := kmsg.NewPtrSyncGroupRequest()
		q.Group = "g"
		edit(q)
		p.ask(version, q)
	}
	beat := func(version int16, group, id string, gen int32) {
		q := kmsg.NewPtrHeartbeatRequest()
		q.Group, q.MemberID, q.Generation = group, id, gen
		p.ask(version, q)
	}
	p.say("joins that are refused")
	join(9, func(q *kmsg.JoinGroupRequest) { q.SessionTimeoutMillis = 1000 })
	join(5, func(q *kmsg.JoinGroupRequest) { q.SessionTimeoutMillis = 10_000_000 })
	join(9, func(q *kmsg.JoinGroupRequest) { q.Group = "" })
	join(9, func(q *kmsg.JoinGroupRequest) { q.Protocols = nil })
	join(6, func(q *kmsg.JoinGroupRequest) { q.ProtocolType = "" })
	join(9, func(q *kmsg.JoinGroupRequest) { q.MemberID = "nobody" })
	p.say("before there is a group")
	beat(4, "nogroup", "x", 1)
	beat(4, "", "x", 1)
	p.say("join")
	r := join(9, nil)
	id := r.MemberID
	join(9, func(q *kmsg.JoinGroupRequest) { q.MemberID = id })
	describe := func(version int16, groups ...string) {
		q := kmsg.NewPtrDescribeGroupsRequest()
		q.Groups = groups
		p.ask(version, q)
	}
	list := func(version int16, states ...string) {
		q := kmsg.NewPtrListGroupsRequest()
		q.StatesFilter = states
		p.ask(version, q)
	}
	describe(5, "g", "nogroup")
	describe(6, "g", "nogroup")
	beat(4, "g", id, 1)
	p.say("sync")
	sync(5, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = "nobody", 1 })
	sync(4, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = "nobody", 1 })
	sync(4, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = id, 9 })
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.MemberID, q.Generation, q.ProtocolType, q.Protocol = id, 1, ptr("consumer"), ptr("sticky")
	})
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.MemberID, q.Generation, q.ProtocolType, q.Protocol = id, 1, ptr("consumer"), ptr("range")
		q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: id, MemberAssignment: []byte("mine")}}
	})
	sync(2, func(q *kmsg.SyncGroupRequest) { q.MemberID, q.Generation = id, 1 })
	beat(4, "g", id, 1)
	beat(4, "g", id, 2)
	beat(4, "g", "nobody", 1)
	describe(4, "g")
	list(5)
	list(4, "Stable")
	list(4, "Empty")
	p.say("commit")
	commit := func(version int16, group, id string, gen int32, edit func(q *kmsg.OffsetCommitRequest)) {
		q := kmsg.NewPtrOffsetCommitRequest()
		q.Group, q.MemberID, q.Generation = group, id, gen
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID = "gt", p.byID["gt"]
		tp := kmsg.NewOffsetCommitRequestTopicPartition()
		tp.Partition, tp.Offset, tp.LeaderEpoch, tp.Metadata = 0, 5, -1, ptr("note")
		t.Partitions = append(t.Partitions, tp)
		q.Topics = append(q.Topics, t)
		if edit != nil {
			edit(q)
		}
		p.ask(version, q)
	}
	for v := int16(2); v <= 10; v++ {
		commit(v, "g", id, 1, nil)
	}
	commit(8, "g", id, 2, nil)
	commit(8, "g", "nobody", 1, nil)
	commit(8, "g", "", -1, nil)
	commit(8, "nogroup", "x", 1, nil)
	commit(9, "nogroup", "x", 1, nil)
	commit(8, "", "", -1, nil)
	commit(8, "simple", "", -1, nil)
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].Partitions[0].Metadata = ptr(strings.Repeat("x", 4097)) })
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].Partitions[0].Partition = 9 })
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].Topic = "nosuch" })
	commit(10, "g", id, 1, func(q *kmsg.OffsetCommitRequest) { q.Topics[0].TopicID = [16]byte{1} })
	commit(8, "g", id, 1, func(q *kmsg.OffsetCommitRequest) {
		q.Topics[0].Partitions[0].Partition, q.Topics[0].Partitions[0].Offset = 1, -7
	})
	p.say("fetch offsets")
	fetch := func(version int16, group string, parts []int32, edit func(q *kmsg.OffsetFetchRequest)) {
		q := kmsg.NewPtrOffsetFetchRequest()
		q.Group = group
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberEpoch = group, -1
		if parts != nil {
			t := kmsg.NewOffsetFetchRequestTopic()
			t.Topic, t.Partitions = "gt", parts
			q.Topics = append(q.Topics, t)
			gt := kmsg.NewOffsetFetchRequestGroupTopic()
			gt.Topic, gt.TopicID, gt.Partitions = "gt", p.byID["gt"], parts
			g.Topics = append(g.Topics, gt)
		}
		q.Groups = append(q.Groups, g)
		if edit != nil {
			edit(q)
		}
		p.ask(version, q)
	}
	for v := int16(1); v <= 10; v++ {
		fetch(v, "g", []int32{0}, nil)
	}
	fetch(8, "g", []int32{0, 1, 7}, nil)
	fetch(7, "g", nil, nil)
	fetch(9, "nogroup", []int32{0}, nil)
	fetch(9, "nogroup", nil, nil)
	fetch(7, "", []int32{0}, nil)
	fetch(9, "", []int32{0}, nil)
	fetch(9, "simple", nil, nil)
	p.say("delete")
	odel := func(group, topic string) {
		q := kmsg.NewPtrOffsetDeleteRequest()
		q.Group = group
		t := kmsg.NewOffsetDeleteRequestTopic()
		t.Topic = topic
		t.Partitions = []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}
		q.Topics = append(q.Topics, t)
		p.ask(0, q)
	}
	odel("g", "gt")
	odel("g", "nosuch")
	odel("nogroup", "gt")
	odel("simple", "gt")
	gdel := func(groups ...string) {
		q := kmsg.NewPtrDeleteGroupsRequest()
		q.Groups = groups
		p.ask(2, q)
	}
	describe(5, "")
	odel("", "gt")
	gdel("g", "nogroup", "")
	p.say("leave")
	leave := func(version int16, group, id string, instance *string) {
		q := kmsg.NewPtrLeaveGroupRequest()
		q.Group, q.MemberID = group, id
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID, m.InstanceID = id, instance
		q.Members = append(q.Members, m)
		p.ask(version, q)
	}
	leave(5, "g", "nobody", nil)
	leave(5, "nogroup", "x", nil)
	leave(2, "nogroup", "x", nil)
	leave(5, "", "x", nil)
	leave(5, "g", id, nil)
	leave(2, "g", id, nil)
	describe(6, "g")
	beat(4, "g", id, 1)
	commit(8, "g", id, 1, nil)
	commit(8, "g", "", -1, nil)
	odel("g", "gt")
	gdel("g")
	list(5, "Empty")
	p.say("static members")
	static := func(version int16, id string) *kmsg.JoinGroupResponse {
		return join(version, func(q *kmsg.JoinGroupRequest) { q.Group, q.InstanceID, q.MemberID = "s", ptr("i"), id })
	}
	one := static(9, "").MemberID
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.Group, q.MemberID, q.InstanceID, q.Generation = "s", one, ptr("i"), 1
		q.ProtocolType, q.Protocol = ptr("consumer"), ptr("range")
		q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: one, MemberAssignment: []byte("mine")}}
	})
	two := static(9, "").MemberID
	sync(5, func(q *kmsg.SyncGroupRequest) {
		q.Group, q.MemberID, q.InstanceID, q.Generation = "s", two, ptr("i"), 1
	})
	static(7, "")
	q := kmsg.NewPtrHeartbeatRequest()
	q.Group, q.MemberID, q.InstanceID, q.Generation = "s", one, ptr("i"), 1
	p.ask(4, q)
	static(9, one)
	describe(6, "s")
	leave(5, "s", one, ptr("i"))
	leave(5, "s", "", ptr("other"))
	leave(5, "s", "", ptr("i"))
	describe(6, "s")
}

func playCluster(p *player) {
	p.say("metadata of names and ids")
	p.topic("m", 2)
	md := func(version int16, edit func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic)) {
		q := kmsg.NewPtrMetadataRequest()
		t := kmsg.NewMetadataRequestTopic()
		edit(q, &t)
		if t.Topic != nil || t.TopicID != ([16]byte{}) {
			q.Topics = append(q.Topics, t)
		} else {
			q.Topics = []kmsg.MetadataRequestTopic{}
		}
		q.SetVersion(version)
		r := p.send(version, q).(*kmsg.MetadataResponse)
		r.ClusterID = nil
		fmt.Fprintf(&p.out, "Metadata v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
	}
	for v := int16(0); v <= 13; v++ {
		md(v, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("m") })
	}
	md(13, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.TopicID = p.byID["m"] })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.TopicID = [16]byte{5} })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("nosuch") })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("a b") })
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) { t.Topic = ptr("") })
	md(9, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) {
		t.Topic, q.IncludeTopicAuthorizedOperations, q.IncludeClusterAuthorizedOperations = ptr("m"), true, true
	})
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) {
		t.Topic, q.AllowAutoTopicCreation = ptr("auto"), true
	})
	p.await("auto")
	md(12, func(q *kmsg.MetadataRequest, t *kmsg.MetadataRequestTopic) {})
	p.say("describe topics")
	dtp := func(limit int32, cur *kmsg.DescribeTopicPartitionsRequestCursor, names ...string) {
		q := kmsg.NewPtrDescribeTopicPartitionsRequest()
		q.ResponsePartitionLimit, q.Cursor = limit, cur
		for _, n := range names {
			q.Topics = append(q.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: n})
		}
		p.ask(0, q)
	}
	dtp(2000, nil, "m", "auto", "nosuch", "a b")
	dtp(2, nil, "m", "auto")
	dtp(2000, &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "m", Partition: 1}, "m", "auto")
	p.say("describe the cluster")
	dc := func(version int16, typ int8) {
		q := kmsg.NewPtrDescribeClusterRequest()
		q.EndpointType = typ
		q.SetVersion(version)
		r := p.send(version, q).(*kmsg.DescribeClusterResponse)
		r.ClusterID = ""
		fmt.Fprintf(&p.out, "DescribeCluster v%d: %s\n", version, p.dump(reflect.ValueOf(r)))
	}
	dc(0, 1)
	dc(1, 1)
	dc(2, 1)
	dc(2, 2)
}
