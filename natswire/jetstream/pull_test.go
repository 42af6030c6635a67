package jetstream

import (
	"testing"
	"time"
)

func TestParsePull(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, tt := range []struct {
		body    string
		n       int
		expires time.Time
		bad     string
	}{
		{"", 1, time.Time{}, ""},
		{"10", 10, time.Time{}, ""},
		{"what", 1, time.Time{}, ""},
		{` {"batch":5,"expires":1000000000}`, 5, now.Add(time.Second), ""},
		{`{"batch":5,"expires":1000000000,"idle_heartbeat":600000000}`, 0, now, "heartbeat value too large"},
		{`{"batch":`, 0, now, "unexpected end of JSON input"},
	} {
		p, err := parsePull([]byte(tt.body), now)
		if err != nil {
			if err.Error() != tt.bad {
				t.Errorf("parsePull(%q): %v", tt.body, err)
			}
			continue
		}
		if tt.bad != "" || p.n != tt.n || !p.expires.Equal(tt.expires) {
			t.Errorf("parsePull(%q) = %+v", tt.body, p)
		}
	}
}

func FuzzParsePull(f *testing.F) {
	f.Add([]byte(`{"batch":5,"expires":1000000000,"idle_heartbeat":500000000,"max_bytes":1,"no_wait":true}`))
	f.Add([]byte("12"))
	f.Fuzz(func(t *testing.T, body []byte) { _, _ = parsePull(body, time.Unix(0, 0)) })
}
