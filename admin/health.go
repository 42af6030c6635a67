package admin

import (
	"encoding/json"
	"net/http"
)

// status is the body of /healthz and /readyz.
type status struct {
	// Status is "ok", "low on disk", "read-only" or "not ready".
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// health answers 200 while the process lives. A store that takes nothing is told
// in the body, not by the code: restarting in a loop does not help a full disk,
// and reading still works.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	s.writing().write(w, http.StatusOK)
}

// writing says whether clients can write.
func (s *Server) writing() status {
	if err := s.o.Err(); err != nil {
		return status{Status: "read-only", Reason: err.Error()}
	}
	if err := s.o.Low(); err != nil {
		return status{Status: "low on disk", Reason: err.Error()}
	}
	return status{Status: "ok"}
}

// ready answers 200 while clients can do all they are used to, else 503.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.o.Ready(); err != nil {
		status{Status: "not ready", Reason: err.Error()}.write(w, http.StatusServiceUnavailable)
		return
	}
	st, code := s.writing(), http.StatusOK
	if st.Status != "ok" {
		code = http.StatusServiceUnavailable
	}
	st.write(w, code)
}

func (st status) write(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(st) // the client may be gone: nobody to tell
}
