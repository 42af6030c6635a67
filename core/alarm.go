package core

import (
	"errors"

	"trivium/storage"
)

// Alarm is why publishers should hold back, nil if there is no reason: Unwritable if the
// store is read-only, NoSpace while the disk is nearly full. It does not block. Core
// refuses nothing for the latter: who settles, and what dies, must go on. Doors
// refuse what their clients publish, or do not read it.
func (b *Broker) Alarm() error {
	err := b.store.Alarm()
	if err == nil {
		return nil
	}
	e := &Error{Code: Unwritable, Op: "publish", Err: err}
	var low *storage.LowDiskError
	if errors.As(err, &low) {
		e.Code = NoSpace
	}
	return e
}

// OnAlarm has f called after Alarm began or ended, until stop is called. f must not block,
// nor begin a transaction.
func (b *Broker) OnAlarm(f func()) (stop func()) { return b.store.OnAlarm(f) }
