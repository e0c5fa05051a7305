package lab

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is traffic in an exact mix. Each request has an id of its own, and is sent once.
type Load struct {
	Entry   string // base URL
	Mix     []Share
	Total   int     // 0: until the context ends
	Rate    float64 // requests a second; 0: as many as the workers can
	Swing   float64 // how far the rate goes up and down around Rate, as a share below 1, every two minutes
	Workers int     // 0: 8. Each has its own connections and one request at a time
	HTTP2   bool
}

// Share is how often a call is made for each time that the whole mix is gone through.
type Share struct {
	Call
	Times int
}

// ShopMix is everyday traffic for the shop: of 100 requests a few are streams, gRPC and WebSockets, and
// one finds no route.
func ShopMix() []Share {
	return []Share{
		{Get("catalog", "/catalog"), 39},
		{Get("users", "/users/{n}"), 18},
		{Send("users", http.MethodPost, "/users/{n}", `{"name": "Ada", "email": "ada@shop.example"}`), 4},
		{Send("checkout", http.MethodPost, "/checkout", `{"basket": ["lamp", "chair"]}`), 10},
		{Send("payments", http.MethodPost, "/payments", `{"amount": 118}`), 12},
		{Send("echo", http.MethodPut, "/echo", `{"hello": "world"}`), 4},
		{Get("events", "/events?n=3&every=10ms"), 2},
		{TalkWebSocket("hello", "goodbye"), 2},
		{SayGRPC("hello"), 6},
		{ChatGRPC("hello", "goodbye"), 2},
		{Get("unmatched", "/nothing/here"), 1},
	}
}

// Outcome is what exchanges are counted by.
type Outcome struct {
	Route, Code string
}

// Report is what the callers saw.
type Report struct {
	Run       string // how each request's id begins
	Sent      int
	Counts    map[Outcome]int // a request without an answer has code 0
	Failures  []error         // of requests without a whole answer; at most 10 a worker
	Latencies map[string][]time.Duration
}

// Run sends until Total is reached or the context ends; what is under way then is waited for.
func (l Load) Run(ctx context.Context) (Report, error) {
	order := interleave(l.Mix)
	workers := cmp.Or(l.Workers, 8)
	total := int64(cmp.Or(l.Total, math.MaxInt64))
	run := newRun()
	start := time.Now()
	var turns, sent atomic.Int64 // a turn that comes as the context ends is not taken
	var all sync.WaitGroup
	reports, failed := make([]Report, workers), make([]error, workers)
	for w := range workers {
		all.Go(func() {
			caller, err := NewCaller(l.Entry, l.HTTP2)
			if err != nil {
				failed[w] = err
				return
			}
			defer caller.Close()
			report := &reports[w]
			report.open()
			for {
				turn := turns.Add(1) - 1
				due := l.due(start, turn)
				if turn >= total || !sleepUntil(ctx, due) {
					return
				}
				n := sent.Add(1) - 1
				report.send(ctx, caller, order[n%int64(len(order))], requestID(run, n), due)
			}
		})
	}
	all.Wait()
	return join(run, reports), cmp.Or(failed...)
}

// due is when the n-th turn comes.
func (l Load) due(start time.Time, n int64) time.Time {
	if l.Rate == 0 {
		return time.Now()
	}
	return start.Add(time.Duration(l.swung(float64(n)/l.Rate) * float64(time.Second)))
}

// swung is when as many requests are due with the swing as without it after so many seconds. The sum of a
// swinging rate is no function that can be turned round, so it is closed in on.
func (l Load) swung(seconds float64) float64 {
	const period = 120 / (2 * math.Pi)
	low, high := seconds-2*l.Swing*period, seconds
	for range 30 {
		middle := (low + high) / 2
		if middle+l.Swing*period*(1-math.Cos(middle/period)) < seconds {
			low = middle
		} else {
			high = middle
		}
	}
	return max(high, 0)
}

// sleepUntil is false if the context ended before.
func sleepUntil(ctx context.Context, due time.Time) bool {
	select {
	case <-time.After(time.Until(due)):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (r *Report) open() {
	r.Counts = map[Outcome]int{}
	r.Latencies = map[string][]time.Duration{}
}

// send counts the time from when the request was due: a wait for a free worker is a wait too.
func (r *Report) send(ctx context.Context, caller *Caller, call Call, id string, due time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	code, err := call.Do(ctx, caller, id)
	r.Latencies[call.Route] = append(r.Latencies[call.Route], time.Since(due))
	r.Sent++
	r.Counts[Outcome{call.Route, fmt.Sprint(code)}]++
	if err != nil && len(r.Failures) < 10 {
		r.Failures = append(r.Failures, fmt.Errorf("%s, request %s: %w", call.Route, id, err))
	}
}

func join(run string, reports []Report) Report {
	sum := Report{Run: run}
	sum.open()
	for _, r := range reports {
		sum.Sent += r.Sent
		sum.Failures = append(sum.Failures, r.Failures...)
		for outcome, n := range r.Counts {
			sum.Counts[outcome] += n
		}
		for route, times := range r.Latencies {
			sum.Latencies[route] = append(sum.Latencies[route], times...)
		}
	}
	for _, times := range sum.Latencies {
		slices.Sort(times)
	}
	return sum
}

// ID is the id of the n-th request, from 0 to Sent-1.
func (r Report) ID(n int) string { return requestID(r.Run, int64(n)) }

// Filter is the LogsQL for this run's records.
func (r Report) Filter() string { return fmt.Sprintf("envoy.request_id:=%q*", r.Run) }

// Quantile is the latency that the share q of a route's callers saw at most.
func (r Report) Quantile(route string, q float64) time.Duration {
	times := r.Latencies[route]
	if len(times) == 0 {
		return 0
	}
	return times[min(int(q*float64(len(times))), len(times)-1)]
}

// newRun and requestID make ids of the form that Envoy makes, so that it leaves them as they are; the
// last group counts.
func newRun() string {
	var b [10]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-4%03x-8%03x-", b[:4], b[4:6], int(b[6])<<4|int(b[7])>>4, int(b[8])<<4|int(b[9])>>4)
}

func requestID(run string, n int64) string { return fmt.Sprintf("%s%012d", run, n) }

// interleave spreads each call over the round as evenly as its share allows.
func interleave(mix []Share) []Call {
	type turn struct {
		at   float64
		call Call
	}
	var turns []turn
	for _, share := range mix {
		for i := range share.Times {
			turns = append(turns, turn{(float64(i) + 0.5) / float64(share.Times), share.Call})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	order := make([]Call, len(turns))
	for i, t := range turns {
		order[i] = t.call
	}
	return order
}
