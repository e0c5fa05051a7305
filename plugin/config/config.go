// Package config is the plugin's configuration: JSON bytes in, a value or every
// problem out. It needs no proxy; the command line checks files with it too.
//
// Every key, with its type, bounds and words of help, stands once in [spec]:
// the parser, the JSON Schema and the reference are all read from there.
package config

import "time"

// Config is a whole, valid configuration.
type Config struct {
	Sink     Sink
	Resource []Attribute // in the order given
	Sampling Sampling
	Headers  Headers
	Query    Query
	Routes   Routes
	Metrics  Metrics
	SinkID   string // differs where sink or resource differ
}

// Attribute is a name with its value.
type Attribute struct{ Name, Value string }

// Sink is where records go. Without a cluster there is no sink, and the plugin
// gives metrics alone.
type Sink struct {
	Type        string
	Cluster     string
	Authority   string
	Path        string
	Headers     []Attribute
	Timeout     time.Duration
	Labels      []string
	MaxInFlight int
	Batch       Batch
	Retry       Retry
	Buffer      Buffer
}

// Enabled tells whether there is a sink.
func (s *Sink) Enabled() bool { return s.Cluster != "" }

// Batch bounds one request to the sink.
type Batch struct {
	MaxBytes   int
	MaxRecords int
	MaxDelay   time.Duration
}

// Retry bounds the repetition of a failed request.
type Retry struct {
	Initial, Max, MaxElapsed time.Duration
}

// Buffer bounds what waits for the sink.
type Buffer struct{ MaxBytes int }

// Sampling chooses the exchanges that become records.
type Sampling struct {
	Rate         float64
	FollowTrace  bool
	Errors       float64
	Slow         Slow
	MaxPerSecond int // 0: no limit
}

// Slow is the sampling of exchanges that took long.
type Slow struct {
	Over time.Duration
	Rate float64
}

// Headers lists, in lower case, what may be recorded, and what only masked.
type Headers struct {
	Request, Response, RequestTrailers, ResponseTrailers, Mask []string
}

// Query says what is recorded of the query string.
type Query struct {
	Mode string
	Mask []string
}

// The query modes.
const (
	QueryDrop = "drop"
	QueryKeep = "keep"
	QueryMask = "mask"
)

// The sink types.
const (
	NDJSON = "ndjson"
	Loki   = "loki"
)

// Routes names what has no route name of its own, and bounds the names.
type Routes struct {
	Templates []string
	Max       int
}

// Metrics chooses the labels of the per-route metrics, and bounds them.
type Metrics struct {
	Labels    []string
	MaxSeries int
}

// Default is the configuration that `{}` gives.
func Default() Config {
	return Config{
		Sink: Sink{
			Type:        NDJSON,
			Timeout:     5 * time.Second,
			Labels:      []string{"service.name", "severity"},
			MaxInFlight: 4,
			Batch:       Batch{MaxBytes: 256 << 10, MaxRecords: 2000, MaxDelay: time.Second},
			Retry:       Retry{Initial: 250 * time.Millisecond, Max: 10 * time.Second, MaxElapsed: time.Minute},
			Buffer:      Buffer{MaxBytes: 8 << 20},
		},
		Sampling: Sampling{Rate: 0.01, FollowTrace: true, Errors: 1, Slow: Slow{Over: 500 * time.Millisecond, Rate: 1}, MaxPerSecond: 500},
		Query:    Query{Mode: QueryDrop},
		Routes:   Routes{Max: 500},
		Metrics:  Metrics{Labels: []string{"route", "method", "response_code"}, MaxSeries: 5000},
	}
}
