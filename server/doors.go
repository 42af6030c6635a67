package server

import (
	"trivium/admin"
	"trivium/amqp"
	"trivium/core"
	"trivium/kafkawire"
	"trivium/natswire"
	"trivium/natswire/jetstream"
)

// codecs read the entries of every door, so that each can read the others'.
func codecs() []core.Codec {
	return []core.Codec{amqp.Codec(), kafkawire.Codec(), natswire.Codec()}
}

// make makes the owner of a listener.
func (s *Server) make(name string) (door, error) {
	switch name {
	case AMQP:
		d := amqp.New(amqp.Options{Broker: s.broker, Auth: s.auth, Log: s.log})
		s.counted = append(s.counted, func(e emitter) { amqpMetrics(e, d.Metrics()) })
		return d, nil
	case Kafka:
		d := kafkawire.New(kafkawire.Options{Broker: s.broker, Auth: s.auth, Log: s.log})
		s.counted = append(s.counted, func(e emitter) { kafkaMetrics(e, d.Metrics()) })
		return d, nil
	case NATS:
		d, err := natswire.New(natswire.Options{Broker: s.broker, Auth: s.auth, Log: s.log})
		if err != nil {
			return nil, err
		}
		s.counted = append(s.counted, func(e emitter) { natsMetrics(e, d.Metrics()) })
		return d, nil
	default:
		return admin.New(admin.Options{
			Log: s.log, Err: s.Err, Low: s.broker.Alarm, Ready: s.Ready, Collect: s.collect, Broker: s.broker, Users: s.users,
			Names: map[core.Realm]func(string) error{
				amqp.Realm: amqp.CheckName, kafkawire.Realm: kafkawire.CheckName, natswire.Realm: jetstream.CheckName,
			},
		}), nil
	}
}
