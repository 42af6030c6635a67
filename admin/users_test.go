package admin

import (
	"strings"
	"testing"

	"trivium/auth"
)

// guests are users that no disk keeps.
type guests struct{ *auth.Store }

func (g guests) Change(decide func() (auth.User, error)) error {
	u, err := decide()
	switch {
	case err != nil:
		return err
	case u.Hash == "":
		g.Remove(u.Name)
	default:
		g.Put(u)
	}
	return nil
}

// Who may manage users, and which are good.
func TestUserOperations(t *testing.T) {
	f := start(t)
	for _, c := range []struct {
		as, method, path, body string
		status                 int
		says                   string
	}{
		{"guest:guest", "PUT", "/v1/users/ann", `{"password":"secret","namespace":"shop"}`, 200, `"namespace":"shop"`},
		{"guest:guest", "PUT", "/v1/users/ann", `{"password":"secret"}`, 409, "exists already"},
		{"guest:guest", "PUT", "/v1/users/a%20b", `{"password":"secret"}`, 400, "without spaces"},
		{"guest:guest", "PUT", "/v1/users/bob", `{"password":""}`, 400, "1 to 72 bytes"},
		{"guest:guest", "PUT", "/v1/users/bob", `{"password":"` + strings.Repeat("x", 73) + `"}`, 400, "1 to 72 bytes"},
		{"ann:secret", "GET", "/v1/users", "", 403, "administrator"},
		{"ann:secret", "PUT", "/v1/users/bob", `{"password":"secret"}`, 403, "administrator"},
		{"ann:secret", "DELETE", "/v1/users/guest", "", 403, "administrator"},
		{"ann:secret", "PUT", "/v1/users/guest/password", `{"password":"mine"}`, 403, "administrator"},
		{"ann:secret", "PUT", "/v1/users/ann/password", `{"password":"changed"}`, 204, ""},
		{"ann:secret", "GET", "/v1/users", "", 401, "no such user"},
		{"ann:changed", "GET", "/v1/users", "", 403, "administrator"},
		{"guest:guest", "DELETE", "/v1/users/guest", "", 409, "last administrator"},
		{"guest:guest", "DELETE", "/v1/users/nobody", "", 404, "no user nobody"},
		{"guest:guest", "PUT", "/v1/users/nobody/password", `{"password":"x"}`, 404, "no user nobody"},
		{"guest:guest", "GET", "/v1/users", "", 200, `{"name":"ann","namespace":"shop","admin":false,"local":false},{"name":"guest","namespace":"default","admin":true,"local":true}`},
		{"guest:guest", "DELETE", "/v1/users/ann", "", 204, ""},
		{"ann:changed", "GET", "/v1/users", "", 401, "no such user"},
	} {
		name, password, _ := strings.Cut(c.as, ":")
		code, says := f.ask(t, name, password, c.method, c.path, c.body)
		if code != c.status || !strings.Contains(says, c.says) {
			t.Errorf("%s %s as %s: %s", c.method, c.path, c.as, says)
		}
	}
}
