package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"trivium/natswire/wire"
)

const (
	apiPrefix    = "$JS.API."
	nextPrefix   = apiPrefix + "CONSUMER.MSG.NEXT."
	directPrefix = apiPrefix + "DIRECT.GET."
)

// request is one JSON API request. It owns its bytes.
type request struct {
	a      *account
	client *Client
	msg    wire.Msg
	// subject after "$JS.API.", in words.
	words []string
}

// word returns the i-th word of the subject after "$JS.API.", or "".
func (r *request) word(i int) string {
	if i < len(r.words) {
		return r.words[i]
	}
	return ""
}

// response is a JSON answer whose type and error are in its ApiResponse.
type response = any

// handler answers one API subject. It runs on the engine's goroutine and may wait
// for the disk.
type handler func(r *request, res *server.ApiResponse) response

// route is an API subject: the words after "$JS.API.", "*" for any one, ">" at the end
// for one or more.
type route struct {
	words []string
	typ   string
	serve handler
}

var routes = []route{
	{words("INFO"), server.JSApiAccountInfoResponseType, accountInfo},
	{words("STREAM.CREATE.*"), server.JSApiStreamCreateResponseType, streamCreate},
	{words("STREAM.UPDATE.*"), server.JSApiStreamUpdateResponseType, streamUpdate},
	{words("STREAM.NAMES"), server.JSApiStreamNamesResponseType, streamNames},
	{words("STREAM.LIST"), server.JSApiStreamListResponseType, streamList},
	{words("STREAM.INFO.*"), server.JSApiStreamInfoResponseType, streamInfo},
	{words("STREAM.DELETE.*"), server.JSApiStreamDeleteResponseType, streamDelete},
	{words("STREAM.PURGE.*"), server.JSApiStreamPurgeResponseType, streamPurge},
	{words("STREAM.MSG.GET.*"), server.JSApiMsgGetResponseType, messageGet},
	{words("STREAM.MSG.DELETE.*"), server.JSApiMsgDeleteResponseType, messageDelete},
	{words("STREAM.SNAPSHOT.*"), server.JSApiStreamSnapshotResponseType, streamSnapshot},
	{words("STREAM.RESTORE.*"), server.JSApiStreamRestoreResponseType, streamRestore},
	{words("CONSUMER.CREATE.*"), server.JSApiConsumerCreateResponseType, consumerCreate},
	{words("CONSUMER.CREATE.*.>"), server.JSApiConsumerCreateResponseType, consumerCreate},
	{words("CONSUMER.DURABLE.CREATE.*.*"), server.JSApiConsumerCreateResponseType, consumerCreate},
	{words("CONSUMER.NAMES.*"), server.JSApiConsumerNamesResponseType, consumerNames},
	{words("CONSUMER.LIST.*"), server.JSApiConsumerListResponseType, consumerList},
	{words("CONSUMER.INFO.*.*"), server.JSApiConsumerInfoResponseType, consumerInfo},
	{words("CONSUMER.DELETE.*.*"), server.JSApiConsumerDeleteResponseType, consumerDelete},
	{words("CONSUMER.PAUSE.*.*"), server.JSApiConsumerPauseResponseType, consumerPause},
	{words("CONSUMER.UNPIN.*.*"), server.JSApiConsumerUnpinResponseType, consumerUnpin},
	{words("CONSUMER.RESET.*.*"), server.JSApiConsumerResetResponseType, consumerReset},
}

func words(s string) []string { return strings.Split(s, ".") }

func (t *route) matches(ws []string) bool {
	for i, w := range t.words {
		if w == ">" {
			return len(ws) > i
		}
		if i >= len(ws) || w != "*" && w != ws[i] {
			return false
		}
	}
	return len(ws) == len(t.words)
}

// request takes a publish under $JS.API. on the goroutine that reads the connection.
// What needs no disk and what is hot is served at once.
func (a *account) request(c *Client, m *wire.Msg) bool {
	switch {
	case bytes.HasPrefix(m.Subject, []byte(nextPrefix)):
		return a.next(m)
	case bytes.HasPrefix(m.Subject, []byte(directPrefix)):
		return a.directGet(m)
	case !bytes.HasPrefix(m.Subject, []byte(apiPrefix)):
		return false
	}
	r := &request{a: a, client: c, msg: m.Clone()}
	r.words = words(string(r.msg.Subject[len(apiPrefix):]))
	select {
	case a.e.requests <- r:
	default:
		a.e.log.Warn("JetStream API queue limit reached, request dropped", "subject", string(m.Subject))
	}
	return true
}

// serve answers requests in their order.
func (e *Engine) serve() {
	defer e.wg.Done()
	for {
		select {
		case <-e.quit:
			return
		case r := <-e.requests:
			r.a.serve(r)
		}
	}
}

func (a *account) serve(r *request) {
	t := find(r.words)
	if t == nil {
		return // like nats-server, which leaves the client to its timeout
	}
	res := server.ApiResponse{Type: t.typ}
	if tooNew(r.msg.Header) {
		res.Error = server.NewJSRequiredApiLevelError()
	}
	answer := t.serve(r, &res)
	body, err := json.Marshal(answer)
	if err != nil {
		a.e.log.Error("JetStream API response", "subject", string(r.msg.Subject), "err", err)
		return
	}
	a.api.Add(1)
	if res.Error != nil {
		a.apiErrors.Add(1)
	}
	if len(r.msg.Reply) > 0 {
		a.send(&wire.Msg{Subject: r.msg.Reply, Payload: body})
	}
	if r.word(1) != "MSG" || r.word(2) != "GET" {
		a.audit(r, body)
	}
}

func find(ws []string) *route {
	for i := range routes {
		if routes[i].matches(ws) {
			return &routes[i]
		}
	}
	return nil
}

// tooNew reports whether a request asks for a newer API level than this one.
func tooNew(h wire.Header) bool {
	v := h.Get(server.JSRequiredApiLevel)
	if len(v) == 0 {
		return false
	}
	n, err := strconv.Atoi(string(v))
	return err != nil || n > server.JSApiLevel
}

// decode reads a request's JSON strictly: a field that is not known is an error.
func decode(body []byte, v any) *server.ApiError {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	for {
		err := d.Decode(v)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				err = fmt.Errorf("%w at offset %d", err, syntax.Offset)
			}
			return server.NewJSInvalidJSONError(err)
		}
	}
}

// hasJSON reports whether an optional body is there: an object or array.
func hasJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// emptyBody reports whether a body says nothing: no bytes, or an empty object.
func emptyBody(body []byte) bool {
	if len(body) == 0 {
		return true
	}
	var v map[string]any
	return json.Unmarshal(body, &v) == nil && v != nil && len(v) == 0
}

// page cuts the page at offset out of all.
func page[T any](all []T, offset, limit int) (part []T, p server.ApiPaged) {
	offset = min(max(offset, 0), len(all))
	part = all[offset:min(offset+limit, len(all))]
	return part, server.ApiPaged{Total: len(all), Offset: offset, Limit: limit}
}
