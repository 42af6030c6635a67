package server_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"

	"trivium/auth"
	"trivium/server"
	"trivium/server/servertest"
)

// Who is deleted is put out of every door; others stay.
func TestDeletedUserIsPutOut(t *testing.T) {
	users := new(auth.Store)
	for _, name := range []string{"ann", "bob"} {
		if err := users.Add(name, "secret", ""); err != nil {
			t.Fatal(err)
		}
	}
	s := servertest.Start(t, func(o *server.Options) { o.Auth = users })
	enter := func(user string) (*amqp.Connection, chan *amqp.Error, *nats.Conn, chan error) {
		conn, err := amqp.Dial("amqp://" + user + ":secret@" + s.Addr(server.AMQP) + "/")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		out := make(chan error, 1)
		nc, err := nats.Connect("nats://"+user+":secret@"+s.Addr(server.NATS), nats.NoReconnect(), nats.Timeout(patience),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { out <- err }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return conn, conn.NotifyClose(make(chan *amqp.Error, 1)), nc, out
	}
	_, annAMQP, _, annNATS := enter("ann")
	bob, _, bobNATS, _ := enter("bob")
	users.Remove("ann")
	select {
	case err := <-annAMQP:
		if err == nil || err.Code != amqp.ConnectionForced || err.Reason != "CONNECTION_FORCED - user 'ann' is deleted" {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("her AMQP connection stays")
	}
	select {
	case err := <-annNATS:
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("her NATS connection stays")
	}
	if _, err := bob.Channel(); err != nil {
		t.Error(err)
	}
	if err := bobNATS.Flush(); err != nil {
		t.Error(err)
	}
}
