package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"trivium/amqp/wire"
)

// Clients that hold almost nothing, so that this process can have ten thousand.

// smallBuffer is their read buffer.
const smallBuffer = 1 << 10

// amqpClient has one channel; awake, also a queue of its own with a consumer.
type amqpClient struct {
	c net.Conn
	r *bufio.Reader
	b []byte
	// publish is a message to its own queue.
	publish []byte
}

func dialAMQP(addr string, i int) (*amqpClient, error) {
	c, err := dialFrom(addr, i)
	if err != nil {
		return nil, err
	}
	a := &amqpClient{c: c, r: bufio.NewReaderSize(c, smallBuffer)}
	for _, s := range []struct {
		send []byte
		want wire.Method
	}{
		{wire.ProtocolHeader[:], &wire.ConnectionStart{}},
		{wire.AppendMethod(nil, 0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"}), &wire.ConnectionTune{}},
		{append(wire.AppendMethod(nil, 0, &wire.ConnectionTuneOk{ChannelMax: 16, FrameMax: leanFrameMax, Heartbeat: 3600}),
			wire.AppendMethod(nil, 0, &wire.ConnectionOpen{VHost: "/"})...), &wire.ConnectionOpenOk{}},
		{wire.AppendMethod(nil, 1, &wire.ChannelOpen{}), &wire.ChannelOpenOk{}},
	} {
		if err := a.call(s.send, s.want.ID()); err != nil {
			c.Close()
			return nil, err
		}
	}
	return a, nil
}

func (a *amqpClient) close() { a.c.Close() }

// frame reads a frame.
func (a *amqpClient) frame() (wire.Frame, error) {
	head, err := a.r.Peek(wire.FrameHead)
	if err != nil {
		return wire.Frame{}, err
	}
	_, _, need, _ := wire.ParseFrame(head, 0)
	if cap(a.b) < need {
		a.b = make([]byte, need)
	}
	if _, err := io.ReadFull(a.r, a.b[:need]); err != nil {
		return wire.Frame{}, err
	}
	f, _, _, err := wire.ParseFrame(a.b[:need], 0)
	return f, err
}

// await reads until the method wanted comes.
func (a *amqpClient) await(want wire.ID) error {
	f, err := a.frame()
	if err != nil {
		return err
	}
	if id := wire.MethodID(f.Payload); f.Type != wire.FrameMethod || id != want {
		return fmt.Errorf("got method %d.%d (%q), want %d.%d", id.Class(), id.Method(), f.Payload, want.Class(), want.Method())
	}
	return nil
}

func (a *amqpClient) call(request []byte, want wire.ID) error {
	if _, err := a.c.Write(request); err != nil {
		return err
	}
	a.b = nil
	return a.await(want)
}

func (a *amqpClient) wake(i int) error {
	q := "q" + strconv.Itoa(i)
	if err := a.call(wire.AppendMethod(nil, 1, &wire.QueueDeclare{Queue: q, Exclusive: true}), (&wire.QueueDeclareOk{}).ID()); err != nil {
		return err
	}
	if err := a.call(wire.AppendMethod(nil, 1, &wire.BasicConsume{Queue: q, NoAck: true}), (&wire.BasicConsumeOk{}).ID()); err != nil {
		return err
	}
	a.publish = message(load{size: 100}, "", q).frames
	return nil
}

// work publishes and consumes.
func (a *amqpClient) work() error {
	if _, err := a.c.Write(a.publish); err != nil {
		return err
	}
	if err := a.await(wire.IDDeliver); err != nil {
		return err
	}
	for range 2 { // header and body
		if _, err := a.frame(); err != nil {
			return err
		}
	}
	return nil
}

// natsClient is awake when it has a subscription.
type natsClient struct {
	c       net.Conn
	r       *bufio.Reader
	publish []byte
}

func dialNATS(addr string, i int) (*natsClient, error) {
	c, err := dialFrom(addr, i)
	if err != nil {
		return nil, err
	}
	n := &natsClient{c: c, r: bufio.NewReaderSize(c, smallBuffer)}
	if err := n.flush("CONNECT {\"verbose\":false,\"protocol\":1,\"headers\":true}\r\n"); err != nil {
		c.Close()
		return nil, err
	}
	return n, nil
}

func (n *natsClient) close() { n.c.Close() }

// line reads a control line, cut at the size of the buffer; it answers pings.
func (n *natsClient) line() ([]byte, error) {
	for {
		l, err := n.r.ReadSlice('\n')
		for err == bufio.ErrBufferFull {
			_, err = n.r.ReadSlice('\n')
		}
		switch {
		case err != nil:
			return nil, err
		case bytes.HasPrefix(l, []byte("-ERR")):
			return nil, fmt.Errorf("%s", l)
		case bytes.HasPrefix(l, []byte("PING")):
			if _, err := n.c.Write([]byte("PONG\r\n")); err != nil {
				return nil, err
			}
		case !bytes.HasPrefix(l, []byte("INFO")):
			return l, nil
		}
	}
}

// flush sends s and awaits that the server has seen it.
func (n *natsClient) flush(s string) error {
	if _, err := n.c.Write([]byte(s + "PING\r\n")); err != nil {
		return err
	}
	l, err := n.line()
	if err == nil && !bytes.HasPrefix(l, []byte("PONG")) {
		err = fmt.Errorf("got %q instead of PONG", l)
	}
	return err
}

func (n *natsClient) wake(i int) error {
	n.publish = fmt.Appendf(nil, "PUB c.%d 100\r\n%0100d\r\n", i, 0)
	return n.flush(fmt.Sprintf("SUB c.%d 1\r\n", i))
}

func (n *natsClient) work() error {
	if _, err := n.c.Write(n.publish); err != nil {
		return err
	}
	l, err := n.line()
	if err == nil && !bytes.HasPrefix(l, []byte("MSG ")) {
		err = fmt.Errorf("got %q instead of a message", l)
	}
	if err == nil {
		_, err = n.r.Discard(102)
	}
	return err
}

// kafkaClient is awake when it knows its topic.
type kafkaClient struct {
	c       net.Conn
	produce []byte
	part    int32
}

const (
	connTopic      = "connections"
	connPartitions = 10
)

var kafkaFormat = kmsg.NewRequestFormatter(kmsg.FormatterClientID("scale"))

func dialKafka(addr string, i int) (*kafkaClient, error) {
	c, err := dialFrom(addr, i)
	if err != nil {
		return nil, err
	}
	k := &kafkaClient{c: c, part: int32(i % connPartitions)}
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version = 3
	req.ClientSoftwareName, req.ClientSoftwareVersion = "scale", "1"
	if _, err := k.call(req, new(kmsg.ApiVersionsResponse)); err != nil {
		c.Close()
		return nil, err
	}
	return k, nil
}

func (k *kafkaClient) close() { k.c.Close() }

// call sends a request and reads its answer into resp, whose version is the request's.
func (k *kafkaClient) call(req kmsg.Request, resp kmsg.Response) (kmsg.Response, error) {
	b, err := k.exchange(kafkaFormat.AppendRequest(nil, req, 1))
	if err != nil {
		return nil, err
	}
	b = b[4:] // correlation id
	if req.IsFlexible() && req.Key() != 18 {
		b = b[1:] // no tags
	}
	resp.SetVersion(req.GetVersion())
	return resp, resp.ReadFrom(b)
}

// exchange sends bytes and reads a whole answer, without its size.
func (k *kafkaClient) exchange(request []byte) ([]byte, error) {
	if _, err := k.c.Write(request); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(k.c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(k.c, b)
	return b, err
}

// wake makes the produce request: the same record each time.
func (k *kafkaClient) wake(int) error {
	k.produce = produceRequest(connTopic, k.part, recordBatch(1, 100))
	return nil
}

// work produces a record and fetches it.
func (k *kafkaClient) work() error {
	offset, err := k.produced(k.produce)
	if err != nil {
		return err
	}
	f := kmsg.NewPtrFetchRequest()
	f.Version, f.ReplicaID, f.MaxWaitMillis, f.MinBytes, f.MaxBytes, f.SessionEpoch = 12, -1, 1000, 1, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = connTopic
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = k.part, offset, 1
	t.Partitions = append(t.Partitions, part)
	f.Topics = append(f.Topics, t)
	r, err := k.call(f, kmsg.NewPtrFetchResponse())
	if err != nil {
		return err
	}
	fetched := r.(*kmsg.FetchResponse)
	if p := fetched.Topics[0].Partitions[0]; p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
		return fmt.Errorf("fetch: error %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	return nil
}

// produceRequest is a request to store a batch, acknowledged by all.
func produceRequest(topic string, partition int32, batch []byte) []byte {
	p := kmsg.NewPtrProduceRequest()
	p.Version, p.Acks, p.TimeoutMillis = 9, -1, 10_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, batch
	t.Partitions = append(t.Partitions, part)
	p.Topics = append(p.Topics, t)
	return kafkaFormat.AppendRequest(nil, p, 1)
}

// produced sends a produceRequest and returns the offset that the batch got.
func (k *kafkaClient) produced(request []byte) (int64, error) {
	b, err := k.exchange(request)
	if err != nil {
		return 0, err
	}
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = 9
	if err := resp.ReadFrom(b[5:]); err != nil {
		return 0, err
	}
	got := resp.Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		return 0, fmt.Errorf("produce: error %d", got.ErrorCode)
	}
	return got.BaseOffset, nil
}

// kafkaConnTopic makes the topic that kafkaClients use.
func kafkaConnTopic(addr string) error {
	k, err := dialKafka(addr, 0)
	if err != nil {
		return err
	}
	defer k.close()
	return k.createTopics(connPartitions, connTopic)
}

// createTopics makes topics, all with one request.
func (k *kafkaClient) createTopics(partitions int32, names ...string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 60_000
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
		req.Topics = append(req.Topics, t)
	}
	resp, err := k.call(req, kmsg.NewPtrCreateTopicsResponse())
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
		if t.ErrorCode != 0 {
			return fmt.Errorf("topic %s: error %d", t.Topic, t.ErrorCode)
		}
	}
	return nil
}
