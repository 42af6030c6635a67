package admin

import (
	"strings"
	"testing"
)

// Operations are for users; what comes over the wire is bounded and must be what an operation takes.
func TestOperationsWantAUser(t *testing.T) {
	f := start(t)
	for _, c := range []struct {
		user, password, method, path, body string
		status                             int
		says                               string
	}{
		{"", "", "GET", "/v1/exposed", "", 401, "no such user"},
		{"guest", "wrong", "GET", "/v1/exposed", "", 401, "no such user"},
		{"nobody", "guest", "DELETE", "/v1/exposed/kafka/x", "", 401, "no such user"},
		{"guest", "guest", "PUT", "/v1/exposed/kafka/x", "{", 400, "not the JSON"},
		{"guest", "guest", "PUT", "/v1/exposed/kafka/x", `{"dor":"nats"}`, 400, "not the JSON"},
		{"guest", "guest", "PUT", "/v1/exposed/kafka/x", `{"door":"` + strings.Repeat("x", maxRequest) + `"}`, 400, "too large"},
		{"guest", "guest", "POST", "/v1/exposed/kafka/x", "", 405, ""},
	} {
		code, says := f.ask(t, c.user, c.password, c.method, c.path, c.body)
		if code != c.status || !strings.Contains(says, c.says) {
			t.Errorf("%s %s as %q: %s", c.method, c.path, c.user, says)
		}
	}
}
