package main

// A backlog is published, kept over a crash, and consumed.

const (
	backlogAim  = "50 million messages, in memory that does not grow with them"
	backlogSize = 100
)

var backlogSizes = []int{500_000, 5_000_000, 50_000_000}

func backlog(b *bout, publish, consume func() error) error {
	if err := b.p.forgetPeak(); err != nil {
		return err
	}
	if err := b.timed("publish", b.N, publish); err != nil {
		return err
	}
	if err := b.peak("peak memory, publishing"); err != nil {
		return err
	}
	if _, err := b.memory("memory, at rest"); err != nil {
		return err
	}
	if err := b.idle("CPU at rest"); err != nil {
		return err
	}
	if err := b.kill(); err != nil {
		return err
	}
	if err := b.startTimed("restart after kill -9"); err != nil {
		return err
	}
	if _, err := b.memory("memory after restart"); err != nil {
		return err
	}
	if err := b.timed("consume", b.N, consume); err != nil {
		return err
	}
	if err := b.peak("peak memory, consuming"); err != nil {
		return err
	}
	_, err := b.memory("memory, consumed")
	return err
}

// peak notes the largest resident size since the last forgetPeak or start.
func (b *bout) peak(name string) error {
	v, err := b.p.peakRSS()
	if err == nil {
		b.note(name, float64(v), "B")
	}
	return err
}
