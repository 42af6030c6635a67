package admin

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Kind says how a metric moves.
type Kind uint8

const (
	// Counter only grows, from 0 at the start of the process.
	Counter Kind = iota
	// Gauge goes up and down.
	Gauge
)

// Metric is one value at the time of a scrape.
type Metric struct {
	Name, Help string
	Kind       Kind
	// Door is the value of the label "door", "" for none.
	Door  string
	Value float64
}

// metrics serves what Collect gives, and the Go runtime's and the process's own
// figures, from a registry of this Server alone.
func (s *Server) metrics() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{s.o.Collect}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(s.o.Log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.HTTPErrorOnError,
	})
}

// collector turns Metrics into Prometheus's own at each scrape.
type collector struct {
	collect func(emit func(Metric))
}

// Describe sends nothing: which metrics there are is known when they are read.
func (c collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	c.collect(func(m Metric) {
		kind := prometheus.CounterValue
		if m.Kind == Gauge {
			kind = prometheus.GaugeValue
		}
		var labels prometheus.Labels
		if m.Door != "" {
			labels = prometheus.Labels{"door": m.Door}
		}
		desc := prometheus.NewDesc(m.Name, m.Help, nil, labels)
		out <- prometheus.MustNewConstMetric(desc, kind, m.Value)
	})
}
