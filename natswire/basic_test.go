package natswire

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// patience is how long tests wait for what must happen: machines are busy.
const patience = time.Minute

func connect(t testing.TB, w *world, o ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://"+w.addr, append(o, nats.Timeout(patience))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestPublishSubscribe(t *testing.T) {
	w := start(t)
	a, b := connect(t, w), connect(t, w)
	s, err := a.SubscribeSync("orders.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	b.Publish("orders.new", []byte("hello"))
	m, err := s.NextMsg(patience)
	if err != nil || m.Subject != "orders.new" || string(m.Data) != "hello" {
		t.Fatal(m, err)
	}
	a.Subscribe("svc", func(m *nats.Msg) { m.Respond(append([]byte("re:"), m.Data...)) })
	a.Flush()
	r, err := b.Request("svc", []byte("x"), patience)
	if err != nil || string(r.Data) != "re:x" {
		t.Fatal(r, err)
	}
	if _, err := b.Request("nobody", nil, patience); err != nats.ErrNoResponders {
		t.Fatal(err)
	}
}

func TestUserInfo(t *testing.T) {
	w := start(t)
	nc := connect(t, w)
	m, err := nc.Request("$SYS.REQ.USER.INFO", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var u userInfo
	if err := json.Unmarshal(m.Data, &u); err != nil || u.Data.Account != "$G" || u.Server.ID != nc.ConnectedServerId() {
		t.Errorf("%s: %v", m.Data, err)
	}
}
