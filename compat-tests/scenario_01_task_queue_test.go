package compat

import "testing"

// Scenario 1. A producer puts tasks into a queue; workers are pushed them and
// acknowledge each when it is done.
func TestScenario01TaskQueue(t *testing.T) {
	s := start(t)
	producer := s.rabbit()
	producer.queue("tasks", nil)
	for _, task := range []string{"resize", "encode", "upload"} {
		producer.publish("", "tasks", task)
	}

	alice := s.rabbit()
	work := alice.consume("tasks", 10)

	t.Run("tasks are pushed in order, without polling", func(t *testing.T) {
		for _, want := range []string{"resize", "encode", "upload"} {
			d := next(t, work)
			if string(d.Body) != want || d.Redelivered {
				t.Fatalf("got %q (redelivered %v), want %q", d.Body, d.Redelivered, want)
			}
			if want == "resize" {
				if err := d.Ack(false); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := producer.ready("tasks"); n != 0 {
			t.Errorf("%d tasks are ready while the worker holds them", n)
		}
	})

	t.Run("a dead worker's tasks go to another", func(t *testing.T) {
		bob := s.rabbitFor(t)
		more := bob.consume("tasks", 10)
		alice.die() // with two tasks that it did not acknowledge
		for _, want := range []string{"encode", "upload"} {
			d := next(t, more)
			if string(d.Body) != want || !d.Redelivered {
				t.Fatalf("got %q (redelivered %v), want %q again", d.Body, d.Redelivered, want)
			}
		}
		bob.must(bob.conn.Close()) // without acknowledging either
		eventually(t, "both tasks are ready again", func() bool { return producer.ready("tasks") == 2 })
	})

	t.Run("a task is removed by its acknowledgement, and only by it", func(t *testing.T) {
		carol := s.rabbitFor(t)
		last := carol.consume("tasks", 10)
		if got := bodies(t, last, 2); got != "encode upload" {
			t.Fatalf("got %s", got)
		}
		carol.must(carol.conn.Close())
		if n := producer.ready("tasks"); n != 0 {
			t.Errorf("%d tasks are left", n)
		}
	})

	t.Run("tasks survive a crash of the server", func(t *testing.T) {
		producer.publish("", "tasks", "after all")
		s.crash(t)
		dave := s.rabbitFor(t)
		if got := bodies(t, dave.consume("tasks", 10), 1); got != "after all" {
			t.Fatalf("got %s", got)
		}
		if n := dave.ready("tasks"); n != 0 {
			t.Errorf("%d more tasks came back", n)
		}
	})
}
