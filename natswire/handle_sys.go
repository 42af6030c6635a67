package natswire

import (
	"encoding/json"
	"time"

	"trivium/natswire/wire"
)

// sysUserInfo is the one request to the system that every user may make: who am I.
const sysUserInfo = "$SYS.REQ.USER.INFO"

// userInfo is its answer, in nats-server's shape (ServerAPIResponse of UserInfo).
type userInfo struct {
	Server struct {
		Name      string `json:"name"`
		Host      string `json:"host"`
		ID        string `json:"id"`
		Version   string `json:"ver"`
		JetStream bool   `json:"jetstream"`
		Flags     int    `json:"flags"`
		Seq       uint64 `json:"seq"`
		Time      string `json:"time"`
	} `json:"server"`
	Data struct {
		User        string `json:"user"`
		Account     string `json:"account"`
		AccountName string `json:"account_name"`
	} `json:"data"`
}

// flagsJetStream are nats-server's capability bits of a server with JetStream: enabled, binary
// snapshots, account names resolved.
const flagsJetStream = 7

// userInfo answers sysUserInfo.
func (c *conn) userInfo(m *wire.Msg) {
	if len(m.Reply) == 0 {
		return
	}
	i := c.info()
	var u userInfo
	u.Server.Name, u.Server.ID, u.Server.Host, u.Server.Version = i.ServerName, i.ServerID, i.Host, Version
	if u.Server.JetStream = i.JetStream; i.JetStream {
		u.Server.Flags = flagsJetStream
	}
	u.Server.Seq = c.s.sysSeq.Add(1)
	u.Server.Time = time.Now().UTC().Format(time.RFC3339Nano)
	u.Data.User, u.Data.Account, u.Data.AccountName = c.user, account(c.ns), account(c.ns)
	b, err := json.Marshal(&u)
	if err != nil {
		panic("natswire: user info: " + err.Error()) // strings and numbers only
	}
	c.prod.send(c.prod.route(m.Reply), &wire.Msg{Subject: m.Reply, Payload: b})
}
