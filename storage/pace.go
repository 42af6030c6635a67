package storage

import "time"

// backgroundRate is how many bytes per second settling writes while there is no
// hurry: well below what a disk can do, so that the journal's syncs do not wait for it.
const backgroundRate = 64 << 20

// pace slows background writing down.
type pace struct {
	hurry func() bool // the journal needs the room, or somebody waits
	stop  <-chan struct{}
	owed  time.Duration
}

func (p *pace) wrote(n int) {
	p.owed += time.Duration(n) * time.Second / backgroundRate
	if p.hurry() {
		p.owed = 0
	}
	if p.owed < 5*time.Millisecond {
		return
	}
	t := time.NewTimer(p.owed)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.stop:
	}
	p.owed = 0
}
