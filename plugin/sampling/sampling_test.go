package sampling

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

func exchange(status int64, took time.Duration) record.Record {
	return record.Record{Status: status, GRPC: record.Unknown, Duration: took.Nanoseconds()}
}

func traced(r record.Record, flags byte) record.Record {
	r.Trace = record.Trace{TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7", Flags: flags, Present: true}
	return r
}

func TestADecision(t *testing.T) {
	ok, bad, late := exchange(200, 0), exchange(503, 0), exchange(200, 500*time.Millisecond)
	badAndLate, unanswered, missing := exchange(500, time.Minute), exchange(0, 0), exchange(404, 0)
	grpc := exchange(200, 0)
	grpc.GRPC = 14
	slow := config.Slow{Over: 500 * time.Millisecond, Rate: 1}
	for _, c := range []struct {
		name   string
		config config.Sampling
		record record.Record
		want   Decision
		weight float64
	}{
		{"keeps all at rate 1", config.Sampling{Rate: 1}, ok, Rate, 1},
		{"keeps none at rate 0", config.Sampling{}, ok, Skip, 0},
		{"keeps an error", config.Sampling{Errors: 1}, bad, Error, 1},
		{"takes no answer for an error", config.Sampling{Errors: 1}, unanswered, Error, 1},
		{"takes a gRPC failure for an error", config.Sampling{Errors: 1}, grpc, Error, 1},
		{"takes 404 for no error", config.Sampling{Errors: 1}, missing, Skip, 0},
		{"keeps a slow exchange, from the very limit on", config.Sampling{Slow: slow}, late, Slow, 1},
		{"keeps no exchange that is a little faster", config.Sampling{Slow: slow}, exchange(200, 500*time.Millisecond-1), Skip, 0},
		{"calls a slow error slow where slow came first and both are kept alike", config.Sampling{Errors: 1, Slow: slow}, badAndLate, Slow, 1},
		{"calls an error an error at rate 1", config.Sampling{Rate: 1, Errors: 1}, bad, Error, 1},
		{"calls a slow one slow at rate 1", config.Sampling{Rate: 1, Slow: slow}, late, Slow, 1},
		{"calls an error ordinary where errors are not asked for", config.Sampling{Rate: 1}, bad, Rate, 1},
		{"keeps errors at the ordinary rate where theirs is lower", config.Sampling{Rate: 1, Errors: 0.01}, bad, Error, 1},
		{"follows a sampled trace, without weight", config.Sampling{FollowTrace: true}, traced(ok, 1), Trace, 0},
		{"follows no trace that is not sampled", config.Sampling{FollowTrace: true}, traced(ok, 2), Skip, 0},
		{"follows no trace unless asked", config.Sampling{}, traced(ok, 1), Skip, 0},
		{"counts a sampled trace by rate where that keeps it", config.Sampling{Rate: 1, FollowTrace: true}, traced(ok, 1), Rate, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, weight := New(c.config, 1).Decide(&c.record)
			assert.Equal(t, c.want, got, "%s instead of %s", got, c.want)
			assert.Equal(t, c.weight, weight)
			assert.Equal(t, got != Skip, got.Kept())
		})
	}
}

func TestTheListOfDecisionsIsClosed(t *testing.T) {
	assert.Equal(t, []string{"rate", "trace", "error", "slow", "skip", "limit"}, Names())
	for d, name := range Names() {
		assert.Equal(t, name, Decision(d).String())
		assert.Equal(t, name != "skip" && name != "limit", Decision(d).Kept())
		assert.Equal(t, name == "error" || name == "slow", Decision(d).Important())
	}
}

// ids are the kinds of id that place an exchange.
var ids = map[string]func(r *rand.Rand, i int) record.Record{
	"random trace ids": func(r *rand.Rand, _ int) record.Record {
		return record.Record{Trace: record.Trace{TraceID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())}}
	},
	"trace ids that count up": func(_ *rand.Rand, i int) record.Record {
		return record.Record{Trace: record.Trace{TraceID: fmt.Sprintf("%032x", i+1)}}
	},
	"trace ids of 64 bits that count up at the front": func(_ *rand.Rand, i int) record.Record {
		return record.Record{Trace: record.Trace{TraceID: fmt.Sprintf("%08x00000001", i+1)}}
	},
	"request ids": func(r *rand.Rand, _ int) record.Record {
		return record.Record{RequestID: fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.Uint32()&0xffff, r.Uint32()&0xfff, r.Uint32()&0xfff, r.Uint64()&0xffffffffffff)}
	},
	"request ids that count up": func(_ *rand.Rand, i int) record.Record { return record.Record{RequestID: fmt.Sprint(i)} },
	"no id at all":              func(*rand.Rand, int) record.Record { return record.Record{} },
}

func TestTheSumOfWeightsEstimatesTheNumberOfExchanges(t *testing.T) {
	const n = 200_000
	c := config.Sampling{Rate: 0.02, FollowTrace: true, Errors: 0.5, Slow: config.Slow{Over: time.Second, Rate: 0.1}}
	for name, id := range ids {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			s := New(c, 3)
			truth, sum, variance := map[string]float64{}, map[string]float64{}, map[string]float64{}
			for i := range n {
				x := id(r, i)
				x.GRPC, x.Status = record.Unknown, 200
				kind, rate := "ordinary", c.Rate
				switch r.IntN(10) {
				case 0:
					kind, rate, x.Status = "error", c.Errors, 500
				case 1:
					kind, rate, x.Duration = "slow", c.Slow.Rate, 2e9
				}
				if x.Trace.TraceID != "" && r.IntN(3) == 0 {
					x.Trace.Flags = 1
				}
				decision, weight := s.Decide(&x)
				truth[kind]++
				sum[kind] += weight
				variance[kind] += (1 - rate) / rate
				require.True(t, decision.Kept() || weight == 0)
			}
			for kind, want := range truth {
				assert.InDelta(t, want, sum[kind], 5*math.Sqrt(variance[kind]), kind)
			}
		})
	}
}

func TestAllProxiesOfATraceAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	proxies := []*Sampler{New(config.Sampling{Rate: 0.1}, 1), New(config.Sampling{Rate: 0.1}, 99), New(config.Sampling{Rate: 0.5}, 7)}
	kept := 0
	for i := range 10_000 {
		x := ids["random trace ids"](r, i)
		x.Status = 200
		first, _ := proxies[0].Decide(&x)
		x.RequestID, x.Duration = fmt.Sprint(i), int64(i)
		second, _ := proxies[1].Decide(&x)
		require.Equal(t, first, second)
		third, _ := proxies[2].Decide(&x)
		require.True(t, third.Kept() || !first.Kept(), "who keeps more keeps all that others keep")
		if first.Kept() {
			kept++
		}
	}
	assert.InDelta(t, 1000, kept, 150)
}

func BenchmarkDecide(b *testing.B) {
	s := New(config.Default().Sampling, 1)
	x := traced(exchange(200, time.Millisecond), 0)
	x.Trace.TraceID = "00000000000000000000000000000007"
	var decision Decision
	b.ReportAllocs()
	for b.Loop() {
		decision, _ = s.Decide(&x)
	}
	require.Equal(b, Skip, decision)
	require.Zero(b, testing.AllocsPerRun(100, func() { s.Decide(&x) }))
}

func BenchmarkAllow(b *testing.B) {
	l := NewLimiter(sharedtest.New(), key, 1_000_000, noon)
	now, n, kept := noon, 0, 0
	b.ReportAllocs()
	for b.Loop() {
		if n++; n%100_000 == 0 {
			now = now.Add(time.Second)
			l.Tick(now)
		}
		if l.Allow() {
			kept++
		}
	}
	require.Equal(b, n, kept)
}
