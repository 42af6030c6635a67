package server

import (
	"fmt"

	"trivium/admin"
	"trivium/core"
)

// codecs read the entries of every door, so that each can read the others'.
func codecs() []core.Codec {
	return []core.Codec{}
}

// make makes the owner of a listener.
func (s *Server) make(name string) (door, error) {
	switch name {
	case Admin:
		return admin.New(admin.Options{
			Log: s.log, Err: s.Err, Ready: s.Ready, Collect: s.collect,
		}), nil
	}
	return nil, fmt.Errorf("server: no %s door", name)
}
