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
	Query    string // a query mode
	Bodies   Bodies
	Redact   Redact
	Routes   Routes
	Istio    bool // records have Istio's context, where there is one
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
	Compression string
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

// Headers lists, in lower case, what may be recorded.
type Headers struct {
	Request, Response, RequestTrailers, ResponseTrailers []string
}

// The query modes.
const (
	QueryDrop = "drop"
	QueryKeep = "keep"
)

// Bodies chooses the bodies that are recorded. The first of the rules that
// matches decides instead of Request and Response.
type Bodies struct {
	Request, Response Body
	Rules             []BodyRule
	GRPC              bool // look into gRPC messages
	MaxHeld           int  // bytes that one worker may hold at once
	MaxRatio          int  // a compressed body may inflate to so many times its size
}

// Body says which bodies of one direction are recorded, and how much of each.
type Body struct {
	Rate         float64
	MaxBytes     int
	ContentTypes []string // lower case, * stands for any run
}

// Wanted tells whether any body is.
func (b *Bodies) Wanted() bool {
	for i := range b.Rules {
		if b.Rules[i].Request.Rate > 0 || b.Rules[i].Response.Rate > 0 {
			return true
		}
	}
	return b.Request.Rate > 0 || b.Response.Rate > 0
}

// BodyRule is what holds for some exchanges. What is empty matches any.
type BodyRule struct {
	Routes, Methods   []string
	Headers           []Attribute // of the request, all of them, with these values
	Request, Response Body
}

// Redact says what is hidden in records.
type Redact struct {
	Key    string // of the hashes
	Rules  []RedactRule
	Detect []string // detectors
}

// RedactRule hides the values of one name. Exactly one of the places is given.
type RedactRule struct {
	Body, Header, Cookie, Query, Path string
	Mode                              string
	Last                              int // how much mode last leaves
}

// What becomes of a value.
const (
	Mask   = "mask"   // "[masked]" stands for it
	Remove = "remove" // it goes with its name
	Hash   = "hash"   // a keyed hash stands for it
	Last   = "last"   // only its end is left
	Keep   = "keep"   // it is recorded: cookies are masked without a rule
)

// The detectors.
const (
	DetectCard       = "card"
	DetectBearer     = "bearer"
	DetectJWT        = "jwt"
	DetectEmail      = "email"
	DetectPrivateKey = "private_key"
)

// Detectors are all of them.
var Detectors = []string{DetectCard, DetectBearer, DetectJWT, DetectEmail, DetectPrivateKey}

// The sink types.
const (
	NDJSON        = "ndjson"
	Loki          = "loki"
	OTLP          = "otlp"
	Elasticsearch = "elasticsearch"
)

// The compressions of requests to the sink.
const (
	NoCompression = "none"
	Gzip          = "gzip"
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
			Compression: NoCompression,
			MaxInFlight: 4,
			Batch:       Batch{MaxBytes: 256 << 10, MaxRecords: 2000, MaxDelay: time.Second},
			Retry:       Retry{Initial: 250 * time.Millisecond, Max: 10 * time.Second, MaxElapsed: time.Minute},
			Buffer:      Buffer{MaxBytes: 8 << 20},
		},
		Sampling: Sampling{Rate: 0.01, FollowTrace: true, Errors: 1, Slow: Slow{Over: 500 * time.Millisecond, Rate: 1}, MaxPerSecond: 500},
		Query:    QueryDrop,
		Bodies:   Bodies{Request: defaultBody(), Response: defaultBody(), MaxHeld: 4 << 20, MaxRatio: 100},
		Routes:   Routes{Max: 500},
		Istio:    true,
		Metrics:  Metrics{Labels: []string{"route", "method", "response_code"}, MaxSeries: 5000},
	}
}

// defaultBody leaves bodies out, but says what would be recorded of one.
func defaultBody() Body {
	return Body{MaxBytes: 4 << 10, ContentTypes: []string{"application/json", "application/*+json", "application/x-www-form-urlencoded", "multipart/form-data"}}
}
