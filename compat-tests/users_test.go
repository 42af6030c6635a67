package compat

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	amqp "github.com/rabbitmq/amqp091-go"
)

// A user that ctl adds logs in through the doors at once, in its namespace, and after a crash; one that is
// deleted does not any more.
func TestUsers(t *testing.T) {
	if original() {
		t.Skip("the originals have users of their own")
	}
	s := start(t)
	ctl := func(stdin string, args ...string) string {
		t.Helper()
		out, ok := s.ctlWith(t, stdin, args...)
		if !ok {
			t.Fatalf("%v: %s", args, out)
		}
		return out
	}
	login := func(user, password, vhost string) (overAMQP, overNATS bool) {
		t.Helper()
		conn, err := amqp.Dial("amqp://" + user + ":" + password + "@" + s.addrs["amqp"] + vhost)
		if err == nil {
			conn.Close()
		}
		nc, natsErr := nats.Connect("nats://"+s.addrs["nats"], nats.UserInfo(user, password), nats.Timeout(patience))
		if natsErr == nil {
			nc.Close()
		}
		return err == nil, natsErr == nil
	}
	want := func(user, password, vhost string, ok bool) {
		t.Helper()
		if a, n := login(user, password, vhost); a != ok || n != ok {
			t.Errorf("%s:%s into %s: AMQP %v, NATS %v, want %v", user, password, vhost, a, n, ok)
		}
	}
	ctl("secret\n", "user", "add", "ann", "--admin")
	ctl("other", "user", "add", "shop-app", "--namespace", "shop")
	check := func(password string) {
		t.Helper()
		want("ann", password, "/", true)
		want("ann", "wrong", "/", false)
		want("shop-app", "other", "/shop", true)
		want("nobody", "other", "/", false)
		out, ok := s.ctlWith(t, "", "--user", "shop-app", "--password", "other", "user", "list")
		if ok || !strings.Contains(out, "administrator") {
			t.Errorf("shop-app lists users: %s", out)
		}
		wantEqual(t, "users", ctl("", "--user", "ann", "--password", password, "user", "list"),
			"ann default administrator\nguest default administrator from-this-machine-only\nshop-app shop")
	}
	check("secret")
	s.crash(t)
	check("secret")
	ctl("changed", "user", "passwd", "ann")
	want("ann", "secret", "/", false)
	check("changed")
	s.crash(t)
	check("changed")

	// The two namespaces do not meet.
	a, err := nats.Connect("nats://"+s.addrs["nats"], nats.UserInfo("shop-app", "other"), nats.Timeout(patience))
	must(t, err)
	defer a.Close()
	sub, err := a.SubscribeSync(">")
	must(t, err)
	must(t, a.Flush())
	other := s.nats()
	must(t, other.Publish("x", []byte("default")))
	must(t, other.Flush())
	must(t, a.Publish("x", []byte("shop")))
	m, err := sub.NextMsg(patience)
	must(t, err)
	wantEqual(t, "heard in shop", string(m.Data), "shop")

	ctl("", "user", "delete", "guest") // ann is an administrator too
	want("guest", "guest", "/", false)
	ctl("", "--user", "ann", "--password", "changed", "user", "delete", "shop-app")
	want("shop-app", "other", "/shop", false)
	s.crash(t)
	want("guest", "guest", "/", false)
	want("shop-app", "other", "/shop", false)
	out, ok := s.ctlWith(t, "", "--user", "ann", "--password", "changed", "user", "delete", "ann")
	if ok || !strings.Contains(out, "last administrator") {
		t.Error(out)
	}
}
