//go:build live

package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// part is the traffic of one route: so many requests a second, whose durations and sizes are spread evenly over ranges, each
// of them within one of Envoy's buckets, where Prometheus' interpolation is at its best. They keep away from its bounds, as a
// busy machine takes longer, and as Envoy itself knows values by two digits: it counts 509 as no more than 500.
type part struct {
	route    string
	method   string
	rate     int // requests a second
	latency  spread
	request  spread // bytes; zero: no body
	response spread
	codes    []int // taken in turn
}

type spread struct{ from, to int }

// at is the n-th value, where any so many in a row are spread as evenly as can be (by the golden section).
func (s spread) at(n int) int { return s.from + (s.to-s.from)*(n*61803%100000)/100000 }

// telling is a script with errors and slow requests, for each number to have something to tell of.
var telling = []part{
	{"browse", http.MethodPost, 12, spread{265, 485}, spread{70, 245}, spread{1100, 4000}, []int{200, 200, 200, 200, 200, 500, 200, 200, 200, 200}},
	{"profile", http.MethodPut, 6, spread{765, 985}, spread{300, 1000}, spread{70, 245}, []int{201}},
	{"order", http.MethodPost, 8, spread{515, 735}, spread{1100, 4000}, spread{300, 1000}, []int{200, 200, 503, 200, 404, 200, 200, 503, 200, 200}},
}

// calm is a script that no alert has to tell of.
var calm = []part{
	{"browse", http.MethodGet, 12, spread{60, 70}, spread{}, spread{1100, 4000}, []int{200}},
	{"profile", http.MethodPut, 6, spread{20, 30}, spread{300, 1000}, spread{70, 250}, []int{201}},
	{"order", http.MethodPost, 8, spread{60, 150}, spread{1100, 4000}, spread{300, 1000}, []int{200, 200, 404, 200, 200}},
}

// event is one exchange, as its caller saw it. What Envoy measures is between the time that the upstream took for it and that
// which the caller waited: on a busy machine they are not the same.
type event struct {
	at                time.Time // of its end
	route             string
	code              int
	upstream, took    time.Duration
	request, response int
}

// play is a script that is being played: an upstream, and those who call it by way of Envoy.
type play struct {
	script   []part
	upstream *http.Server
	address  string

	mutex  sync.Mutex
	events []event
	slower map[string]time.Duration // by route: what it takes in addition
	fails  map[string]int           // by route: the code that it answers with
}

func openPlay(script []part) (*play, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &play{script: script, address: listener.Addr().String(), slower: map[string]time.Duration{}, fails: map[string]int{}}
	p.upstream = &http.Server{Handler: http.HandlerFunc(p.answer)}
	go p.upstream.Serve(listener)
	return p, nil
}

// routes and clusters are named alike.
func (p *play) routes() (routes []config.Route, clusters []config.Cluster) {
	for _, s := range p.script {
		routes = append(routes, config.Route{Name: s.route, Prefix: "/" + s.route, Cluster: s.route})
		clusters = append(clusters, config.Cluster{Name: s.route, Address: p.address})
	}
	return routes, clusters
}

// answer does as the query says, and as a fault has it.
func (p *play) answer(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	io.Copy(io.Discard, r.Body)
	route := r.URL.Path[1:]
	number := func(name string) int { n, _ := strconv.Atoi(r.FormValue(name)); return n }
	p.mutex.Lock()
	slower, fails := p.slower[route], p.fails[route]
	p.mutex.Unlock()
	time.Sleep(time.Duration(number("ms"))*time.Millisecond + slower)
	code := number("code")
	if fails != 0 {
		code = fails
	}
	w.Header().Set("Content-Length", r.FormValue("size"))
	w.Header().Set("X-Took", time.Since(start).String())
	w.WriteHeader(code)
	w.Write(make([]byte, number("size")))
}

// run plays until the context ends.
func (p *play) run(ctx context.Context, entry string) error {
	var all sync.WaitGroup
	defer all.Wait()
	failed := make(chan error, len(p.script))
	for _, s := range p.script {
		load := lab.Load{Entry: entry, Mix: []lab.Share{{Call: p.call(s, entry), Times: 1}}, Rate: float64(s.rate), Workers: 3 * s.rate}
		all.Go(func() {
			report, err := load.Run(ctx)
			if err == nil && len(report.Failures) > 0 {
				err = report.Failures[0]
			}
			failed <- err
		})
	}
	for range p.script {
		if err := <-failed; err != nil {
			return fmt.Errorf("playing the script: %w", err)
		}
	}
	return nil
}

func (p *play) call(s part, entry string) lab.Call {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	var turns counter
	return lab.Call{Route: s.route, Do: func(ctx context.Context, _ *lab.Caller, id string) (int, error) {
		n := turns.next()
		size := s.response.at(n + 13)
		query := url.Values{
			"ms": {strconv.Itoa(s.latency.at(n))}, "size": {strconv.Itoa(size)}, "code": {strconv.Itoa(s.codes[n%len(s.codes)])},
		}
		body := make([]byte, s.request.at(n+29))
		request, err := http.NewRequestWithContext(ctx, s.method, entry+"/"+s.route+"?"+query.Encode(), bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		request.Header.Set("x-request-id", id)
		start := time.Now()
		response, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		got, err := io.Copy(io.Discard, response.Body)
		upstream, _ := time.ParseDuration(response.Header.Get("X-Took")) // none: Envoy has answered by itself
		p.keep(event{time.Now(), s.route, response.StatusCode, upstream, time.Since(start), len(body), int(got)})
		return response.StatusCode, err
	}}
}

func (p *play) keep(e event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.events = append(p.events, e)
}

// between are the exchanges that ended within a span of time.
func (p *play) between(start, end time.Time) (events []event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, e := range p.events {
		if !e.at.Before(start) && e.at.Before(end) {
			events = append(events, e)
		}
	}
	return events
}

// sink stands before the store, takes its time, and counts what comes.
type sink struct {
	address string
	server  *http.Server

	mutex   sync.Mutex
	refuses bool // every request, for now
	flushes []flush
	reads   []reading
}

// reading is a number at a time: of bytes that came, off any connection.
type reading struct {
	at time.Time
	n  int
}

// flush is a request that the store took.
type flush struct {
	at             time.Time // of its end
	took           time.Duration
	records, bytes int
}

// sinkTakes its time as evenly as requests do.
var sinkTakes = spread{265, 485}

func openSink(store string) (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{address: listener.Addr().String()}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: store})
	var turns counter
	s.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		body, err := io.ReadAll(r.Body)
		if err != nil || s.refuse(false, false) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		time.Sleep(time.Duration(sinkTakes.at(turns.next())) * time.Millisecond)
		proxy.ServeHTTP(w, r)
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.flushes = append(s.flushes, flush{time.Now(), time.Since(start), bytes.Count(body, []byte("\n")), len(body)})
	})}
	go s.server.Serve(counting{listener, s})
	return s, nil
}

// refuse tells whether requests are refused, and may change that first.
func (s *sink) refuse(change, to bool) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if change {
		s.refuses = to
	}
	return s.refuses
}

// between are the requests that ended within a span of time.
func (s *sink) between(start, end time.Time) (flushes []flush) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, f := range s.flushes {
		if !f.at.Before(start) && f.at.Before(end) {
			flushes = append(flushes, f)
		}
	}
	return flushes
}

// readBetween is how many bytes came within a span of time.
func (s *sink) readBetween(start, end time.Time) (n int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, r := range s.reads {
		if !r.at.Before(start) && r.at.Before(end) {
			n += r.n
		}
	}
	return n
}

// counting counts the bytes that a sink reads, as they are on the wire.
type counting struct {
	net.Listener
	*sink
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	return countingConn{conn, c.sink}, err
}

type countingConn struct {
	net.Conn
	*sink
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.reads = append(c.reads, reading{time.Now(), n})
	return n, err
}

// counter counts for many.
type counter struct {
	sync.Mutex
	n int
}

func (c *counter) next() int {
	c.Lock()
	defer c.Unlock()
	c.n++
	return c.n - 1
}
