package natswire

import (
	"encoding/json"
	"net"
	"runtime"

	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// info is the JSON of INFO, in nats-server's order.
type info struct {
	ServerID      string `json:"server_id"`
	ServerName    string `json:"server_name"`
	Version       string `json:"version"`
	Proto         int    `json:"proto"`
	Go            string `json:"go"`
	Host          string `json:"host"`
	Port          int    `json:"port"`
	Headers       bool   `json:"headers"`
	AuthRequired  bool   `json:"auth_required,omitempty"`
	MaxPayload    int    `json:"max_payload"`
	JetStream     bool   `json:"jetstream,omitempty"`
	ClientID      uint64 `json:"client_id,omitempty"`
	ClientIP      string `json:"client_ip,omitempty"`
	LameDuckMode  bool   `json:"ldm,omitempty"`
	ConnectInfo   bool   `json:"connect_info,omitempty"`
	RemoteAccount string `json:"remote_account,omitempty"`
	APILevel      int    `json:"api_lvl,omitempty"`
}

// info is what c is told about the server. Host and port are those that it connected to.
func (c *conn) info() info {
	i := info{
		ServerID: c.s.id, ServerName: c.s.o.Name, Version: Version, Proto: 1, Go: runtime.Version(),
		Headers: true, AuthRequired: c.s.o.RequireAuth, MaxPayload: c.s.o.MaxPayload, JetStream: c.s.js != nil,
		ClientID: c.id, ClientIP: c.host, APILevel: APILevel,
	}
	if a, ok := c.nc.LocalAddr().(*net.TCPAddr); ok {
		i.Host, i.Port = a.IP.String(), a.Port
	}
	return i
}

// appendInfo appends an INFO line.
func appendInfo(dst []byte, i *info) []byte {
	b, err := json.Marshal(i)
	if err != nil {
		panic("natswire: INFO: " + err.Error()) // strings and numbers only
	}
	return wire.AppendInfo(dst, b)
}

// announce sends an INFO that edit changes, to clients that take more than one.
func (c *conn) announce(edit func(*info)) {
	if !c.asyncInfo.Load() {
		return
	}
	i := c.info()
	edit(&i)
	c.say(appendInfo(nil, &i))
}

// account is how NATS calls a namespace.
func account(ns *core.Namespace) string { return jetstream.AccountName(ns) }
