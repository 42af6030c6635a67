// Command bench measures Trivium beside the real RabbitMQ, Kafka and
// nats-server: on one machine, one after the other, with the same load tools.
//
//	go run ./bench -out docs  everything, three interleaved rounds, and the report
//	go run ./bench -only nats the workloads whose name matches this expression; with
//	                           -out, the figures of the others stay
//	go run ./bench -short     a moment of each, to see that it works
//	go run ./bench -scale     what Trivium costs with much of everything (docs/scale.md)
//
// A peer that is not installed is an error; -only leaves its workloads out. What
// each needs: nats-server and the nats command (installed by go install into
// -work), RabbitMQ (the Debian package rabbitmq-server), Apache Kafka and
// RabbitMQ's PerfTest (their jars, by Maven into -work) and Java.
//
// # What is compared
//
// Each workload runs against a peer with its defaults and with its durable
// setting, and against Trivium with durability interval and sync. A round visits
// each system once: it is started with empty data, takes all workloads of its
// door, and is stopped. Before each run the workload runs for a moment unmeasured;
// the first time, that also finds how many messages take the time that a run shall
// take. What earlier runs left to be written back is written first.
//
// # What drives the load
//
// The originals' own tools: `nats bench`, Kafka's ProducerPerformance and
// ConsumerPerformance, RabbitMQ's PerfTest. PerfTest and ConsumerPerformance are
// slower than the servers, so beside their rows stand rows of a lean driver (AMQP:
// lean.go) or of the Go client (Kafka's tail). Latency from end to end at a fixed
// rate, and the mix of all doors at once, are driven through the Go clients
// amqp091-go, franz-go and nats.go (flow.go). It is always the same for both sides.
//
// Load tools and servers share the machine, so the server's own CPU time per
// message says as much as throughput.
//
// # What is left behind
//
// Nothing: servers and tools end with bench, even if it is killed (on Linux), and
// their data is removed when it ends by itself or on SIGINT or SIGTERM. With -out
// the report is written anew after every run, so that an interrupted measurement
// still has one.
package main
