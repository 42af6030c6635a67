// Command bench measures Trivium beside the real RabbitMQ, Kafka and
// nats-server: on one machine, one after the other, with the same load tools.
//
//	go run ./bench            everything, three interleaved rounds
//	go run ./bench -short     a small round, to see that it works
//	go run ./bench -only nats the workloads whose name contains "nats"
//	go run ./bench -scale     what Trivium costs with much of everything (docs/scale.md)
//
// A peer that is not installed is an error; -only leaves its workloads out. What
// each needs: nats-server and the nats command (installed by go install into
// -work), RabbitMQ (the Debian package rabbitmq-server), Apache Kafka (its jars,
// by Maven into -work) and Java.
//
// Each workload runs against a peer with its defaults and with its durable
// setting, and against Trivium with durability interval and sync. Load tools and
// servers share the machine, so the server's own CPU time per message says as much
// as throughput. The load on AMQP comes from a lean driver of our own, for both
// sides, because RabbitMQ's PerfTest is slower than either server.
package main
