package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var testLimits = Limits{ControlLine: 64, Payload: 1024, Headers: true}

// script renders what Parse makes of in, one operation a line.
func script(in []byte, lim *Limits) string {
	var out strings.Builder
	var op Op
	for len(in) > 0 {
		n, err := Parse(in, lim, &op)
		if err != nil {
			fmt.Fprintf(&out, "! %v\n", err)
			return out.String()
		}
		if n == 0 {
			fmt.Fprintf(&out, "? %d\n", op.Need)
			return out.String()
		}
		in = in[n:]
		switch op.Verb {
		case Pub:
			fmt.Fprintf(&out, "pub %q %q %q %q\n", op.Subject, op.Reply, op.Header, op.Payload)
		case Sub:
			fmt.Fprintf(&out, "sub %q %q %q\n", op.Subject, op.Queue, op.Sid)
		case Unsub:
			fmt.Fprintf(&out, "unsub %q %d\n", op.Sid, op.Max)
		default:
			fmt.Fprintf(&out, "%d %q\n", op.Verb, op.Arg)
			op.Arg = nil
		}
	}
	return out.String()
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"PUB foo 5\r\nhello\r\n", `pub "foo" "" "" "hello"`},
		{"pub\tfoo \t bar   5\nhello\r\n", `pub "foo" "bar" "" "hello"`},
		{"PUB foo 0\r\n\r\n", `pub "foo" "" "" ""`},
		{"HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", `pub "foo" "" "NATS/1.0\r\n\r\n" "hi"`},
		{"hPuB foo r 0 2\r\nhi\r\n", `pub "foo" "r" "" "hi"`},
		{"SUB foo 1\r\nSUB foo q 22\r\n", "sub \"foo\" \"\" \"1\"\nsub \"foo\" \"q\" \"22\""},
		{"UNSUB 1\r\nUNSUB a 5\r\nunsub x y\r\n", "unsub \"1\" 0\nunsub \"a\" 5\nunsub \"x\" 0"},
		{"PING\r\nPONG\nPINGPONG\r\n+OK\r\n", "6 \"\"\n7 \"\"\n6 \"\"\n8 \"\""},
		{"CONNECT {}\r\nCONNECT{}\r\n", "1 \"{}\"\n1 \"{}\""},
		{"INFO {\"a\":1}\r\n-ERR 'x'\r\n", "2 \"{\\\"a\\\":1}\"\n9 \"'x'\""},
		// Incomplete.
		{"P", "? 0"}, {"PU", "? 0"}, {"PUB foo", "? 0"}, {"PUB foo 5\r\nhell", "? 18"},
		{"PUB foo 5\r\nhello\r", "? 18"}, {"UNSU", "? 0"}, {"+", "? 0"}, {"CONNECT ", "? 0"},
		// Refused.
		{"X", "! Unknown Protocol Operation"}, {"PUX", "! Unknown Protocol Operation"},
		{"PA", "! Unknown Protocol Operation"}, {"PUBfoo 5\r\n", "! Unknown Protocol Operation"},
		{"MSG a 1 2\r\nhi\r\n", "! Unknown Protocol Operation"}, {"\r\n", "! Unknown Protocol Operation"},
		{"PUB foo 5\r\nhelloX", "! Unknown Protocol Operation"},
		{"PUB foo 5\r\nhello\rX", "! Unknown Protocol Operation"},
		{"PUB foo\r\n", "! wire: bad arguments"}, {"PUB a b c 5\r\n", "! wire: bad arguments"},
		{"PUB foo -1\r\n", "! wire: bad arguments"}, {"PUB foo 1234567890\r\n", "! wire: bad arguments"},
		{"HPUB foo 5 4\r\n", "! wire: bad arguments"}, {"HPUB foo 5\r\n", "! wire: bad arguments"},
		{"SUB foo\r\n", "! wire: bad arguments"}, {"SUB a b c d\r\n", "! wire: bad arguments"},
		{"UNSUB\r\n", "! Unknown Protocol Operation"}, {"UNSUB 1 2 3\r\n", "! wire: bad arguments"},
		{"PUB foo 1025\r\n", "! Maximum Payload Violation"},
		{"SUB " + strings.Repeat("x", 65), "! maximum control line exceeded"},
		{"SUB " + strings.Repeat("x", 63) + " 1\r\n", "! maximum control line exceeded"},
		{"SUB " + strings.Repeat("x", 62) + " 1\r\n", `sub "` + strings.Repeat("x", 62) + `" "" "1"`},
		{"PING" + strings.Repeat(" ", 400), "! maximum control line exceeded"},
	} {
		if got := strings.TrimSuffix(script([]byte(c.in), &testLimits), "\n"); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.in, got, c.want)
		}
	}
	if _, err := Parse([]byte("HPUB foo 12 14\r\n"), &Limits{ControlLine: 64, Payload: 99}, new(Op)); !errors.Is(err, ErrHeaders) {
		t.Errorf("HPUB without headers: %v", err)
	}
}

// traffic is what nats.go and the nats CLI send.
var traffic = []string{
	"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"name\":\"\",\"lang\":\"go\",\"version\":\"1.55.0\",\"protocol\":1,\"echo\":true,\"headers\":true,\"no_responders\":true}\r\nPING\r\n",
	"SUB _INBOX.Kx3WBvSHp5vSJYPaWfTiFR.* 1\r\nPUB svc.echo _INBOX.Kx3WBvSHp5vSJYPaWfTiFR.aaaaaaaa 4\r\nping\r\n",
	"SUB orders.> workers 2\r\nUNSUB 2 10\r\nPING\r\n",
	"HPUB orders.new _INBOX.Kx3WBvSHp5vSJYPaWfTiFR.bbbbbbbb 39 44\r\nNATS/1.0\r\nNats-Msg-Id: order-123-v1\r\n\r\nhello\r\n",
	"PUB $JS.API.STREAM.CREATE.ORDERS _INBOX.Kx3WBvSHp5vSJYPaWfTiFR.cccccccc 41\r\n{\"name\":\"ORDERS\",\"subjects\":[\"orders.*\"]}\r\n",
	"PUB $JS.ACK.ORDERS.c.1.1.1.1764000000000000000.0 4\r\n+ACK\r\nPONG\r\n",
}

// FuzzParse checks that Parse never panics, never reads past what it was given, and
// answers the same however the input is split.
func FuzzParse(f *testing.F) {
	for _, s := range traffic {
		f.Add([]byte(s), 7)
	}
	f.Add([]byte(strings.Join(traffic, "")), 100)
	lim := &Limits{ControlLine: 512, Payload: 1 << 16, Headers: true}
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		whole := script(in, lim)
		if step < 1 || step > len(in) {
			return
		}
		var out strings.Builder
		var op Op
		from, to := 0, 0
		for to < len(in) {
			to = min(to+step, len(in))
			for from < to {
				n, err := Parse(in[from:to:to], lim, &op)
				if err != nil {
					// Split input may be refused earlier within the same operation, never later.
					if !strings.Contains(whole, "!") && !strings.HasPrefix(whole, out.String()) {
						t.Fatalf("split: %v\nwhole:\n%s", err, whole)
					}
					return
				}
				if n == 0 {
					break
				}
				if n > to-from {
					t.Fatalf("consumed %d of %d", n, to-from)
				}
				out.WriteString(script(in[from:from+n], lim))
				from += n
			}
		}
		if !strings.HasPrefix(whole, out.String()) {
			t.Fatalf("split:\n%s\nwhole:\n%s", out.String(), whole)
		}
	})
}

func TestSplitReads(t *testing.T) {
	in := []byte(strings.Join(traffic, ""))
	lim := &Limits{ControlLine: 4096, Payload: 1 << 20, Headers: true}
	whole := script(in, lim)
	if n := strings.Count(whole, "\n"); n != 11 || strings.ContainsAny(whole, "!?") {
		t.Fatalf("%d operations:\n%s", n, whole)
	}
	var out strings.Builder
	var op Op
	from := 0
	for to := 1; to <= len(in); to++ {
		n, err := Parse(in[from:to], lim, &op)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			out.WriteString(script(in[from:from+n], lim))
			from += n
		} else if op.Need > len(in)-from {
			t.Fatalf("needs %d, has %d", op.Need, len(in)-from)
		}
	}
	if out.String() != whole {
		t.Errorf("byte by byte:\n%s\nwhole:\n%s", out.String(), whole)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	in := []byte(strings.Join(traffic, ""))
	lim := &Limits{ControlLine: 4096, Payload: 1 << 20, Headers: true}
	var op Op
	if n := testing.AllocsPerRun(100, func() {
		for b := in; len(b) > 0; {
			n, err := Parse(b, lim, &op)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
			b = b[n:]
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{16, 128, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			in := []byte(fmt.Sprintf("PUB bench.subject %d\r\n%s\r\n", size, bytes.Repeat([]byte{'x'}, size)))
			lim := &Limits{ControlLine: 4096, Payload: 1 << 20}
			var op Op
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if n, err := Parse(in, lim, &op); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}
