package main

import "time"

// startTrial starts an empty server again and again.
var startTrial = trial{
	name:  "start",
	aim:   "ready in less than 100 ms, at rest less than 25 MB and no measurable CPU",
	sizes: []int{1},
	run: func(b *bout) error {
		b.stop()
		if err := b.startTimed("restart, empty"); err != nil {
			return err
		}
		const times = 20
		worst := time.Duration(0)
		for range times {
			b.stop()
			began := time.Now()
			if err := b.start(); err != nil {
				return err
			}
			worst = max(worst, time.Since(began))
		}
		b.note("restart, empty, slowest of 20", worst.Seconds(), "s")
		if _, err := b.memory("memory at rest"); err != nil {
			return err
		}
		if err := b.idle("CPU at rest"); err != nil {
			return err
		}
		return b.goroutines("goroutines at rest")
	},
}
