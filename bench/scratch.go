package main

import (
	"os"
	"sync"
)

// scratch are the directories that are removed when bench ends.
var scratch scratchDirs

type scratchDirs struct {
	mu   sync.Mutex
	dirs map[string]bool
}

// add makes a directory beneath work.
func (s *scratchDirs) add(work, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, err := os.MkdirTemp(work, name+"-")
	if err != nil {
		return "", err
	}
	if s.dirs == nil {
		s.dirs = map[string]bool{}
	}
	s.dirs[dir] = true
	return dir, nil
}

func (s *scratchDirs) remove(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	os.RemoveAll(dir)
	delete(s.dirs, dir)
}

func (s *scratchDirs) removeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir := range s.dirs {
		os.RemoveAll(dir)
	}
}
