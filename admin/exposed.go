package admin

import (
	"fmt"
	"net/http"

	"trivium/auth"
	"trivium/core"
)

// place is a stream by the name that it has in a door.
type place struct {
	Door string `json:"door"`
	Name string `json:"name"`
}

// exposed is a second name.
type exposed struct {
	place
	Of place `json:"of"`
}

// listExposed answers GET /v1/exposed: the second names in the user's namespace.
func (s *Server) listExposed(who *auth.Identity, _ *http.Request) (any, error) {
	ns, err := s.namespace(who, who.Namespace)
	if err != nil {
		return nil, err
	}
	all := []exposed{}
	for _, x := range ns.AllExposed() {
		c := x.Stream.Config()
		all = append(all, exposed{place{string(x.Realm), x.Name}, place{string(c.Realm), c.Name}})
	}
	return all, nil
}

// expose answers PUT /v1/exposed/{door}/{name}, whose body is the stream's own place.
func (s *Server) expose(who *auth.Identity, r *http.Request) (any, error) {
	as := place{r.PathValue("door"), r.PathValue("name")}
	var of place
	if err := decode(r, &of); err != nil {
		return nil, err
	}
	ns, err := s.namespace(who, who.Namespace)
	if err != nil {
		return nil, err
	}
	if err := s.checkPlace(as); err != nil {
		return nil, err
	}
	if s.o.Names[core.Realm(of.Door)] == nil {
		return nil, s.noDoor(of.Door)
	}
	if as.Door == of.Door {
		return nil, &failure{http.StatusBadRequest, fmt.Sprintf("%s clients know %s by its own name already: it can be exposed to clients of another door", of.Door, of.Name)}
	}
	err = s.o.Broker.Committed(func(tx *core.Tx) error {
		from := ns.Stream(core.Realm(of.Door), of.Name)
		if from == nil && ns.Queue(core.Realm(of.Door), of.Name) != nil {
			return &failure{http.StatusBadRequest, of.Name + " is a classic or quorum queue: work leaves it when it is done, so there is nothing for others to read; a stream queue can be exposed"}
		}
		if from == nil {
			return &failure{http.StatusNotFound, fmt.Sprintf("no %s named %s", kinds[of.Door], of.Name)}
		}
		return ns.Expose(tx, core.Exposed{Realm: core.Realm(as.Door), Name: as.Name, Stream: from})
	})
	if e, ok := err.(*core.Error); ok && e.Code == core.Exists {
		err = &failure{http.StatusConflict, fmt.Sprintf("%s %s exists already", as.Door, as.Name)}
	}
	if err != nil {
		return nil, err
	}
	return exposed{as, of}, nil
}

// conceal answers DELETE /v1/exposed/{door}/{name}.
func (s *Server) conceal(who *auth.Identity, r *http.Request) (any, error) {
	as := place{r.PathValue("door"), r.PathValue("name")}
	ns, err := s.namespace(who, who.Namespace)
	if err != nil {
		return nil, err
	}
	return nil, s.o.Broker.Committed(func(tx *core.Tx) error {
		if !ns.Conceal(tx, core.Realm(as.Door), as.Name) {
			return &failure{http.StatusNotFound, fmt.Sprintf("nothing is exposed as %s %s", as.Door, as.Name)}
		}
		return nil
	})
}

// kinds are what a door's clients call a stream.
var kinds = map[string]string{"amqp": "AMQP stream queue", "kafka": "Kafka topic", "nats": "NATS stream"}

func (s *Server) noDoor(door string) error {
	return &failure{http.StatusBadRequest, fmt.Sprintf("no door %q: there are amqp, kafka and nats", door)}
}

// checkPlace says why nothing can be exposed as p.
func (s *Server) checkPlace(p place) error {
	check := s.o.Names[core.Realm(p.Door)]
	if check == nil {
		return s.noDoor(p.Door)
	}
	if err := check(p.Name); err != nil {
		return &failure{http.StatusBadRequest, err.Error()}
	}
	return nil
}
