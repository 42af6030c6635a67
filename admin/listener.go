package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"trivium/core"
)

// Bounds on what one HTTP client can hold.
const (
	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second // a scrape of everything takes milliseconds
	idleTimeout   = time.Minute
	maxHeader     = 16 << 10
)

// Options of a Server. Its functions are called by several requests at once and
// must not block.
type Options struct {
	Log *slog.Logger
	// Err is why nothing can be written any more, or nil.
	Err func() error
	// Low is why clients are kept from publishing for now, or nil.
	Low func() error
	// Ready is why the server does not serve, for example because it is
	// stopping, or nil.
	Ready func() error
	// Collect calls emit for every metric. A name always comes with the same
	// kind and help.
	Collect func(emit func(Metric))
	// Broker and Users are what the operations of /v1 work on. Names says, for each door's realm, why a name cannot
	// be given there.
	Broker *core.Broker
	Users  Users
	Names  map[core.Realm]func(name string) error
}

// Server is the admin listener.
type Server struct {
	o    Options
	http *http.Server
}

// New makes a Server; Serve starts it.
func New(o Options) *Server {
	s := &Server{o: o}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.metrics())
	mux.Handle("GET /v1/exposed", s.operate(s.listExposed))
	mux.Handle("PUT /v1/exposed/{door}/{name}", s.operate(s.expose))
	mux.Handle("DELETE /v1/exposed/{door}/{name}", s.operate(s.conceal))
	mux.Handle("GET /v1/users", s.operate(s.listUsers))
	mux.Handle("PUT /v1/users/{name}", s.operate(s.addUser))
	mux.Handle("PUT /v1/users/{name}/password", s.operate(s.setPassword))
	mux.Handle("DELETE /v1/users/{name}", s.operate(s.deleteUser))
	return mux
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte("Trivium\n\n/healthz  is it alive, can it write\n/readyz   does it serve\n/metrics  for Prometheus\n/v1       for trivium ctl\n"))
}

// Serve answers requests until Shutdown, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening and waits for the requests in progress.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }
