package server

import (
	"fmt"
	"net"
)

// names are the listeners in the order in which they are opened.
var names = [...]string{AMQP, Kafka, NATS, Admin}

func (o *Options) addr(name string) string {
	switch name {
	case AMQP:
		return o.AMQP
	case Kafka:
		return o.Kafka
	case NATS:
		return o.NATS
	default:
		return o.Admin
	}
}

// listen opens all listeners, or none.
func (s *Server) listen() error {
	s.listeners = make(map[string]net.Listener, len(names))
	for _, name := range names {
		addr := s.o.addr(name)
		if addr == "" {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			s.unlisten()
			return &ListenError{Listener: name, Addr: addr, Err: err}
		}
		s.listeners[name] = l
	}
	return nil
}

// unlisten closes what listen opened; closing again does no harm.
func (s *Server) unlisten() {
	for _, l := range s.listeners {
		l.Close()
	}
}

// serve starts the doors that have a listener.
func (s *Server) serve() error {
	made := make(map[string]door, len(names))
	for name := range s.listeners {
		d, err := s.make(name)
		if err != nil {
			return err
		}
		made[name] = d
	}
	for name, d := range made {
		if name == Admin {
			s.admin = d
		} else {
			s.doors = append(s.doors, d)
		}
		s.serving.Go(func() {
			if err := d.Serve(s.listeners[name]); err != nil {
				s.failed <- fmt.Errorf("server: %s: %w", name, err)
			}
		})
	}
	return nil
}
