package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/metrics"
)

// settle is how long after its load an Envoy is left alone before its CPU is read: ticks, and the last
// batch, which waits a second to be full, are paid for by the requests that caused them.
const settle = 1500 * time.Millisecond

// fleet are the Envoys, all running all the time.
type fleet []*subject

// subject is an Envoy with what is known of it.
type subject struct {
	variant
	envoy *lab.Envoy
	dir   string
	sink  *sink
	sent  int     // requests so far, each answered
	rate  float64 // requests a second at which latency is measured

	CPU, P50, P99 []float64 // microseconds a request, by round
	RSS           []float64 // MiB
	Rate          []float64 // requests a second under full load
	dropped       int       // records
	calls         *hostCalls
}

// startFleet returns what it has started, with an error too.
func startFleet(ctx context.Context, o options, variants []variant, services *services, dir string) (fleet, error) {
	var f fleet
	for i, v := range variants {
		s, err := startSubject(ctx, o, v, services, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return f, fmt.Errorf("%s: %w", v.name, err)
		}
		f = append(f, s)
	}
	return f, nil
}

func startSubject(ctx context.Context, o options, v variant, services *services, dir string, args ...string) (*subject, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	sink, err := services.openSink()
	if err != nil {
		return nil, err
	}
	c := config.Options{
		Routes:   []config.Route{{Name: "catalog", Prefix: "/", Cluster: "catalog"}},
		Clusters: []config.Cluster{{Name: "catalog", Address: services.upstream}},
		Sink:     sink.cluster(),
	}
	v.configure(&c, dir)
	envoy, err := lab.StartEnvoy(ctx, lab.EnvoyOptions{Binary: o.envoy, Dir: dir, Config: c, Concurrency: 1, Args: append([]string{"-l", "warning"}, args...)})
	if err != nil {
		return nil, err
	}
	return &subject{variant: v, envoy: envoy, dir: dir, sink: sink}, nil
}

func (s *subject) target() target {
	return target{strings.TrimPrefix(s.envoy.Entry, "http://"), s.body}
}

func (f fleet) stop() error {
	var errs []error
	for _, s := range f {
		errs = append(errs, s.envoy.Stop())
	}
	return errors.Join(errs...)
}

// warmUp fills caches and connections, and sets the rate for latency: half of what the slowest with
// bodies of the same size can take.
func (f fleet) warmUp(ctx context.Context, o options, say func(string, ...any)) error {
	slowest := map[int]float64{}
	for _, s := range f {
		say("Warming up: %s.", s.name)
		n, err := saturate(ctx, s.target(), o.connections, o.slice)
		s.sent += n
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		rate := float64(n) / o.slice.Seconds()
		if other, ok := slowest[s.body]; !ok || rate < other {
			slowest[s.body] = rate
		}
	}
	for _, s := range f {
		if s.rate = cmp.Or(o.rate, math.Floor(slowest[s.body]/2)); s.rate < 1 {
			return fmt.Errorf("%s: nothing went through while warming up: there is no rate to measure latency at", s.name)
		}
	}
	time.Sleep(settle)
	return nil
}

func (f fleet) rounds(ctx context.Context, o options, say func(string, ...any)) error {
	for round := range o.rounds {
		for i := range f {
			s := f[(i+round)%len(f)] // nobody is always first, or always behind the same
			if err := s.measure(ctx, o); err != nil {
				return fmt.Errorf("round %d, %s: %w", round+1, s.name, errors.Join(err, s.envoy.Failed()))
			}
			say("Round %d of %d, %s: %.1f us of CPU a request, p50 %.0f us, p99 %.0f us.", round+1, o.rounds, s.name, s.CPU[round], s.P50[round], s.P99[round])
		}
	}
	return nil
}

func (s *subject) measure(ctx context.Context, o options) error {
	before, err := cpuTime(s.envoy.PID())
	if err != nil {
		return err
	}
	n, err := saturate(ctx, s.target(), o.connections, o.slice)
	s.sent += n
	if err != nil {
		return err
	}
	time.Sleep(settle)
	after, err := cpuTime(s.envoy.PID())
	if err != nil {
		return err
	}
	memory, err := s.envoy.ResidentMemory()
	if err != nil {
		return err
	}
	latencies, err := pace(ctx, s.target(), o.connections, s.rate, o.slice)
	s.sent += len(latencies)
	if err != nil {
		return err
	}
	s.CPU = append(s.CPU, micros(after-before)/float64(n))
	s.Rate = append(s.Rate, float64(n)/o.slice.Seconds())
	s.RSS = append(s.RSS, float64(memory)/(1<<20))
	s.P50 = append(s.P50, micros(quantile(latencies, 0.5)))
	s.P99 = append(s.P99, micros(quantile(latencies, 0.99)))
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// verify tells whether each Envoy did the work that it was measured at.
func (f fleet) verify(ctx context.Context) error {
	var errs []error
	for _, s := range f {
		if err := s.verify(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *subject) verify(ctx context.Context) error {
	own, err := s.envoy.StatsOf(ctx, `^http\.entry\.(downstream_rq_total|lua\.(executions|errors))$`)
	if err != nil {
		return err
	}
	errs := []error{equal("requests that Envoy counted", int(own.Sum("envoy_http_downstream_rq_total", "envoy_http_conn_manager_prefix=entry")), s.sent)}
	if s.script {
		errs = append(errs,
			equal("runs of the script", int(own.Sum("envoy_http_lua_executions")), s.sent),
			equal("runs of the script that failed", int(own.Sum("envoy_http_lua_errors")), 0))
	}
	if s.counts {
		errs = append(errs, s.verifyPlugin(ctx))
	}
	if _, err := os.Stat(accessLog(s.dir)); err == nil {
		errs = append(errs, s.verifyAccessLog(ctx))
	}
	return errors.Join(errs...)
}

func (s *subject) verifyPlugin(ctx context.Context) error {
	stats, err := s.envoy.Quiet(ctx, s.sent, 30*time.Second)
	if err != nil {
		return err
	}
	p := stats.Pipeline()
	arrived := int(s.sink.records.Load())
	errs := []error{
		equal("exchanges that the plugin counted", int(stats.Sum(metrics.Requests)), s.sent),
		equal("records that arrived, of those delivered", arrived, p.Delivered),
	}
	if s.body == 0 {
		errs = append(errs, equal("records delivered, of those emitted", p.Delivered, p.Emitted))
	} else { // large ones may come faster than the sink takes them: dropped ones were made, and are paid for, too
		s.dropped = p.Dropped
		errs = append(errs,
			equal("records delivered or dropped, of those emitted", p.Delivered+p.Dropped, p.Emitted),
			equal("whole bodies that arrived, two in each record", int(s.sink.bodies.Load()), 2*arrived),
			equal("bodies left out", int(stats.Sum(metrics.BodiesOmitted)), 0))
	}
	// Chosen by a hash of random trace ids: within six standard deviations.
	expected := s.records * float64(s.sent)
	if off := math.Abs(float64(p.Emitted) - expected); off > 6*math.Sqrt(expected*(1-s.records)) {
		errs = append(errs, fmt.Errorf("%d records of %d exchanges were emitted: that is not %v%%", p.Emitted, s.sent, s.records*100))
	}
	return errors.Join(errs...)
}

// verifyAccessLog waits for the end of the log, which Envoy writes every ten seconds.
func (s *subject) verifyAccessLog(ctx context.Context) error {
	return lab.Until(ctx, "the access log to be whole", 15*time.Second, func(context.Context) (string, bool) {
		lines, err := countLines(accessLog(s.dir))
		return fmt.Sprintf("%d lines of %d requests (%v)", lines, s.sent, err), lines == s.sent
	})
}

func countLines(file string) (lines int, err error) {
	in, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	block := make([]byte, 1<<20)
	for {
		n, err := in.Read(block)
		lines += bytes.Count(block[:n], []byte("\n"))
		if err == io.EOF {
			return lines, nil
		} else if err != nil {
			return lines, err
		}
	}
}

func equal(what string, got, want int) error {
	if got != want {
		return fmt.Errorf("%s: %d instead of %d", what, got, want)
	}
	return nil
}
