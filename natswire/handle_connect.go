package natswire

import (
	"encoding/json"

	"trivium/core"
	"trivium/natswire/jetstream"
	"trivium/natswire/wire"
)

// connectOptions is the JSON of CONNECT. Unknown fields are ignored, absent ones keep
// their value.
type connectOptions struct {
	Verbose      bool   `json:"verbose"`
	Pedantic     bool   `json:"pedantic"`
	Echo         bool   `json:"echo"`
	Headers      bool   `json:"headers"`
	NoResponders bool   `json:"no_responders"`
	Protocol     int    `json:"protocol"`
	User         string `json:"user"`
	Pass         string `json:"pass"`
	Token        string `json:"auth_token"`
	Nkey         string `json:"nkey"`
	JWT          string `json:"jwt"`
	Name         string `json:"name"`
	Lang         string `json:"lang"`
	Version      string `json:"version"`
	Account      string `json:"account"`
	NewAccount   bool   `json:"new_account"`
}

// defaultConnect holds before and without CONNECT (nats-server's defaultOpts).
var defaultConnect = connectOptions{Verbose: true, Pedantic: true, Echo: true}

// connect handles CONNECT (spec 1.1). A second one logs in again, and drops the
// subscriptions of the first.
func (c *conn) connect(arg []byte) bool {
	c.armFirstPing()
	if json.Unmarshal(arg, &c.opts) != nil {
		c.close(ParseError)
		return false
	}
	c.prod.finish() // in the name of who it was
	if c.connected {
		c.dropSubs()
	}
	c.connected = true
	c.lim.Headers = c.opts.Headers
	c.out.mu.Lock()
	c.out.mu.headers = c.opts.Headers
	c.out.mu.Unlock()
	if c.opts.NewAccount || c.opts.Account != "" || !c.login() {
		return c.refuse(errAuthViolation, AuthenticationFailure)
	}
	c.refusing = false
	if c.opts.Protocol < 0 || c.opts.Protocol > 1 {
		return c.refuse(errBadProtocol, BadProtocolVersion)
	}
	if c.opts.NoResponders && !c.opts.Headers {
		return c.refuse(errNoResponders, NoRespondersHeaders)
	}
	c.asyncInfo.Store(c.opts.Protocol >= 1)
	c.client = &jetstream.Client{
		ID: c.id, Host: c.host, User: c.user, Account: account(c.ns), Kind: "Client",
		Name: c.opts.Name, Lang: c.opts.Lang, Version: c.opts.Version, Start: c.start.UnixNano(),
	}
	if c.opts.Verbose {
		c.reply(wire.OKLine)
	}
	return true
}

// login finds the namespace that the credentials lead to. Where none are required and there are no users,
// a name that is given without a right to it still leads to the default account,
// as nats-server without users does.
func (c *conn) login() bool {
	ns := core.DefaultNamespace
	c.logOut()
	if c.s.o.Auth != nil && (c.s.o.RequireAuth || c.opts.User != "") {
		id, err := c.s.o.Auth.Login(c.opts.User, c.opts.Pass, c.nc.RemoteAddr())
		switch {
		case err == nil:
			c.user, ns = id.User, id.Namespace
			c.release = c.s.o.Auth.Hold(c.user, func() {
				c.say(wire.AppendErr(nil, errAuthViolation))
				c.close(AuthenticationFailure)
			})
		case c.s.o.RequireAuth || c.s.o.Auth.Managed():
			return false
		}
	} else if c.s.o.RequireAuth {
		return false
	}
	n := c.s.o.Broker.Namespace(ns)
	if n == nil {
		return false
	}
	if n != c.ns {
		c.ns, c.subj = n, n.Subjects()
		c.prod.move(n)
	}
	return true
}

// logOut ends what login began.
func (c *conn) logOut() {
	if c.release != nil {
		c.release()
	}
	c.user, c.release = "", nil
}
