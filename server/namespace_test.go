package server_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"

	"trivium/auth"
	"trivium/core"
	"trivium/server"
	"trivium/server/servertest"
)

// patience bounds every wait for what must come: machines are busy.
const patience = time.Minute

// The vhost shop is the account shop: what is published there is heard there, through either door, and
// not in the default one, where the names are the same.
func TestNamespacesOfTwoDoors(t *testing.T) {
	users := new(auth.Store)
	if err := users.Add("ada", "secret", "shop"); err != nil {
		t.Fatal(err)
	}
	s := servertest.Start(t, func(o *server.Options) { o.Auth = users })
	err := s.Broker().Committed(func(tx *core.Tx) error {
		s.Broker().CreateNamespace(tx, "shop")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	type tenant struct {
		name string
		ch   *amqp.Channel
		nc   *nats.Conn
		sub  *nats.Subscription
	}
	connect := func(name, login, vhost string) *tenant {
		conn, err := amqp.Dial("amqp://" + login + "@" + s.Addr(server.AMQP) + vhost)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind("q", "from.nats", "amq.nats", false, nil); err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect("nats://"+login+"@"+s.Addr(server.NATS), nats.Timeout(patience))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		sub, err := nc.SubscribeSync("from.amqp")
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		return &tenant{name, ch, nc, sub}
	}
	tenants := []*tenant{connect("default", "guest:guest", "/"), connect("shop", "ada:secret", "/shop")}
	for _, n := range tenants {
		if err := n.nc.Publish("from.nats", []byte(n.name)); err != nil {
			t.Fatal(err)
		}
		if err := n.nc.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := n.ch.Publish("amq.nats", "from.amqp", false, false, amqp.Publishing{Body: []byte(n.name)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range tenants {
		ds, err := n.ch.Consume("q", "", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case d := <-ds:
			if string(d.Body) != n.name {
				t.Errorf("the queue in %s has a message of %s", n.name, d.Body)
			}
		case <-time.After(patience):
			t.Fatal("no delivery")
		}
		m, err := n.sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) != n.name {
			t.Errorf("%s hears a message of %s", n.name, m.Data)
		}
		if left, _, err := n.sub.Pending(); err != nil || left != 0 {
			t.Errorf("%s hears more: %d %v", n.name, left, err)
		}
	}
	if _, err := amqp.Dial("amqp://ada:secret@" + s.Addr(server.AMQP) + "/"); err == nil {
		t.Error("a user of shop entered the default vhost")
	}
}
