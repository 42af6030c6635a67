package core

import (
	"slices"
	"sync"
)

// Window bounds unsettled messages over the subscriptions that share it.
type Window struct {
	mu struct {
		sync.Mutex
		limit, used int
		waiting     []*Cursor // found it full
	}
}

// NewWindow makes a window of n messages; n <= 0 means no bound.
func NewWindow(n int) *Window {
	w := new(Window)
	w.mu.limit = n
	return w
}

// Resize changes the bound. What is unsettled stays.
func (w *Window) Resize(n int) {
	w.mu.Lock()
	w.mu.limit = n
	woken := w.open()
	w.mu.Unlock()
	wakeAll(woken)
}

// open takes the waiting cursors if there is room. Requires: mu.
func (w *Window) open() []*Cursor {
	if len(w.mu.waiting) == 0 || w.mu.limit > 0 && w.mu.used >= w.mu.limit {
		return nil
	}
	woken := w.mu.waiting
	w.mu.waiting = nil
	return woken
}

func wakeAll(cs []*Cursor) {
	for _, c := range cs {
		c.wake()
	}
}

// take makes room for one more; if there is none, c is woken once there is.
func (w *Window) take(c *Cursor, force bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !force && w.mu.limit > 0 && w.mu.used >= w.mu.limit {
		if !slices.Contains(w.mu.waiting, c) {
			w.mu.waiting = append(w.mu.waiting, c)
		}
		return false
	}
	w.mu.used++
	return true
}

func (w *Window) release(n int) {
	w.mu.Lock()
	w.mu.used -= n
	woken := w.open()
	w.mu.Unlock()
	wakeAll(woken)
}

// takeAll takes one place in all windows, or in none.
func takeAll(ws []*Window, c *Cursor, force bool) bool {
	for i, w := range ws {
		if !w.take(c, force) {
			for _, w := range ws[:i] {
				w.release(1)
			}
			return false
		}
	}
	return true
}

// full reports whether there is no room; c is woken once there is.
func (w *Window) full(c *Cursor) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.limit <= 0 || w.mu.used < w.mu.limit {
		return false
	}
	if !slices.Contains(w.mu.waiting, c) {
		w.mu.waiting = append(w.mu.waiting, c)
	}
	return true
}
