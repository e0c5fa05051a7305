package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/coder/websocket"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// What a plugin that looks into bodies may not harm: large transfers and streams. Each Envoy gets its turn in
// each round; there are two without the plugin, and what tells these apart is the machine's noise.

const (
	transferSize  = 100 << 20 // bytes
	transfersEach = 5         // of a direction in a round
	openings      = 30        // streams of a kind in a round
	noFilterToo   = noFilter + ", again"
)

// flow is one kind of traffic. Its figures are kept by Envoy and by round.
type flow struct {
	name string
	unit string
	run  func(ctx context.Context, s *streamSubject) (float64, error)
}

var flows = []flow{
	{"upload of 100 MiB", "MiB/s", func(ctx context.Context, s *streamSubject) (float64, error) {
		return s.transfer(ctx, http.MethodPut, "/upload")
	}},
	{"download of 100 MiB", "MiB/s", func(ctx context.Context, s *streamSubject) (float64, error) {
		return s.transfer(ctx, http.MethodGet, "/download")
	}},
	{"first server-sent event", "us", func(ctx context.Context, s *streamSubject) (float64, error) {
		return medianOf(openings, func() (time.Duration, error) { return s.firstEvent(ctx) })
	}},
	{"first gRPC answer on a stream", "us", func(ctx context.Context, s *streamSubject) (float64, error) {
		return medianOf(openings, func() (time.Duration, error) { return s.firstAnswer(ctx) })
	}},
	{"first WebSocket message", "us", func(ctx context.Context, s *streamSubject) (float64, error) {
		return medianOf(openings, func() (time.Duration, error) { return s.firstMessage(ctx) })
	}},
}

// streamSubject is an Envoy with its figures.
type streamSubject struct {
	name    string
	envoy   *lab.Envoy
	figures [][]float64 // by flow, by round
	growth  []float64   // MiB that Envoy's memory rose above what it was before, at most, by round
}

// benchStreams runs from the first process to the table.
func benchStreams(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "routelens-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tidy(dir, err)) }()
	shop, err := lab.OpenShop()
	if err != nil {
		return err
	}
	defer shop.Close()
	services := &services{}
	defer services.close()
	large, err := services.serve(transfers)
	if err != nil {
		return err
	}
	variants, err := streamVariants(o)
	if err != nil {
		return err
	}
	var subjects []*streamSubject
	defer func() {
		for _, s := range subjects {
			err = errors.Join(err, s.envoy.Stop())
		}
	}()
	for i, v := range variants {
		s, err := startStreamSubject(ctx, o, v, shop, large, filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		subjects = append(subjects, s)
	}
	for round := range o.rounds + 1 { // the first warms up
		for i := range subjects {
			s := subjects[(i+round)%len(subjects)]
			if err := s.measure(ctx, round > 0); err != nil {
				return fmt.Errorf("round %d, %s: %w", round, s.name, errors.Join(err, s.envoy.Failed()))
			}
		}
		fmt.Fprintf(stderr, "Round %d of %d.\n", round, o.rounds)
	}
	return writeStreams(stdout, o, subjects)
}

// streamVariants record every exchange with its bodies.
func streamVariants(o options) ([]variant, error) {
	variants := []variant{{name: noFilter}, {name: noFilterToo}}
	for i, file := range filepath.SplitList(o.plugins) {
		path, err := filepath.Abs(file)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w; make bench builds it", err)
		}
		if empties := filepath.SplitList(o.empties); i < len(empties) {
			empty, err := filepath.Abs(empties[i])
			if err != nil {
				return nil, err
			}
			variants = append(variants, variant{name: compilerOf(file) + ": empty plugin", configure: func(c *config.Options, _ string) {
				c.Plugin = &config.Plugin{File: empty, Config: "{}", VMID: "routelens"}
			}})
		}
		variants = append(variants, variant{name: compilerOf(file) + ": every body", configure: func(c *config.Options, _ string) {
			c.Plugin = &config.Plugin{File: path, Config: bodiesOfAll, VMID: "routelens"}
		}})
	}
	return variants, nil
}

const bodiesOfAll = `{
  "sink": {"type": "ndjson", "cluster": "logs", "path": "/"},
  "sampling": {"rate": 1, "max_per_second": 0},
  "bodies": {
    "request": {"rate": 1, "max_bytes": "64KiB"},
    "response": {"rate": 1, "max_bytes": "64KiB"},
    "grpc": true
  },
  "redact": {"rules": [{"body": "**.password"}, {"body": "user.email"}], "detect": ["card", "jwt"]}
}`

func startStreamSubject(ctx context.Context, o options, v variant, shop *lab.Shop, large, dir string) (*streamSubject, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c := config.Options{
		Routes:   append([]config.Route{{Name: "large", Prefix: "/load/", Cluster: "large", Rewrite: "/", Timeout: "0s"}}, shop.Routes()...),
		Clusters: append(shop.Clusters(), config.Cluster{Name: "large", Address: large}),
		Sink:     &config.Cluster{Name: "logs", Address: large},
	}
	if v.configure != nil {
		v.configure(&c, dir)
	}
	envoy, err := lab.StartEnvoy(ctx, lab.EnvoyOptions{Binary: o.envoy, Dir: dir, Config: c, Concurrency: 1, Args: []string{"-l", "warning"}})
	if err != nil {
		return nil, err
	}
	return &streamSubject{name: v.name, envoy: envoy, figures: make([][]float64, len(flows))}, nil
}

// transfers takes anything at all, and gives 100 MiB of JSON at /download.
func transfers(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/download" {
		w.Header().Set("Content-Type", "application/json")
		io.Copy(w, io.LimitReader(lab.EndlessJSON(), transferSize))
	}
}

func (s *streamSubject) measure(ctx context.Context, keep bool) error {
	before, err := s.envoy.ResidentMemory()
	if err != nil {
		return err
	}
	if err := s.envoy.ForgetPeak(); err != nil {
		return err
	}
	for i, f := range flows {
		value, err := f.run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if keep {
			s.figures[i] = append(s.figures[i], value)
		}
	}
	peak, err := s.envoy.PeakMemory()
	if keep {
		s.growth = append(s.growth, float64(peak-before)/(1<<20))
	}
	return err
}

// transfer gives the median rate of some transfers, in MiB a second.
func (s *streamSubject) transfer(ctx context.Context, method, path string) (float64, error) {
	rates := make([]float64, transfersEach)
	for i := range rates {
		took, err := s.transferOnce(ctx, method, path)
		if err != nil {
			return 0, err
		}
		rates[i] = transferSize / (1 << 20) / took.Seconds()
	}
	return newSeries(rates).Median, nil
}

func (s *streamSubject) transferOnce(ctx context.Context, method, path string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.envoy.Entry+"/load"+path, nil)
	if err != nil {
		return 0, err
	}
	if method == http.MethodPut {
		request.Body, request.ContentLength = io.NopCloser(io.LimitReader(lab.EndlessJSON(), transferSize)), transferSize
		request.Header.Set("Content-Type", "application/json")
	}
	start := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	took := time.Since(start)
	if method == http.MethodGet && n != transferSize {
		err = cmp.Or(err, fmt.Errorf("%d bytes came instead of %d", n, transferSize))
	}
	if response.StatusCode != http.StatusOK {
		err = cmp.Or(err, errors.New("the answer was "+response.Status))
	}
	return took, err
}

func (s *streamSubject) firstEvent(ctx context.Context) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.envoy.Entry+"/events?n=2&every=1ms", nil)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.ReadFull(response.Body, make([]byte, 1)); err != nil {
		return 0, err
	}
	first := time.Since(start)
	_, err = io.Copy(io.Discard, response.Body)
	return first, err
}

func (s *streamSubject) firstAnswer(ctx context.Context) (time.Duration, error) {
	client, err := lab.NewEchoClient(s.envoy.Entry[len("http://"):])
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if _, err := client.Say(ctx, "", "so that the connection stands"); err != nil {
		return 0, err
	}
	start := time.Now()
	say, end, err := client.Chat(ctx, "")
	if err != nil {
		return 0, err
	}
	_, err = say("hello")
	first := time.Since(start)
	return first, cmp.Or(err, end())
}

func (s *streamSubject) firstMessage(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	conn, _, err := websocket.Dial(ctx, s.envoy.Entry+"/ws", nil)
	if err != nil {
		return 0, err
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return 0, err
	}
	if _, _, err := conn.Read(ctx); err != nil {
		return 0, err
	}
	first := time.Since(start)
	return first, conn.Close(websocket.StatusNormalClosure, "")
}

// medianOf is in microseconds. Envoy is left alone before each, so that what it does after the last is not
// taken for a delay of the next.
func medianOf(n int, run func() (time.Duration, error)) (float64, error) {
	values := make([]float64, n)
	for i := range values {
		time.Sleep(2 * time.Millisecond)
		d, err := run()
		if err != nil {
			return 0, err
		}
		values[i] = micros(d)
	}
	return newSeries(values).Median, nil
}

func writeStreams(w io.Writer, o options, subjects []*streamSubject) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\t\tmedian\tx no filter\tspread\t")
	for i, f := range flows {
		for _, s := range subjects {
			ratios := make([]float64, len(s.figures[i]))
			for round, value := range s.figures[i] {
				ratios[round] = value / subjects[0].figures[i][round]
			}
			ratio := newSeries(ratios)
			fmt.Fprintf(table, "%s, %s\t%s\t%.0f\t%s\t%s\t\n", f.name, f.unit, s.name, newSeries(s.figures[i]).Median, ratio.median(), ratio.spread(2))
		}
	}
	for _, s := range subjects {
		growth := newSeries(s.growth)
		fmt.Fprintf(table, "growth of Envoy's memory, MiB\t%s\t%.1f\t\t%s\t\n", s.name, growth.Median, growth.spread(1))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
Medians of %d rounds, Envoy with one worker; in a round each rate is the median of %d, each first of %d. Ratios are taken
within a round, spreads are from the lowest to the highest round. "%s" is the same as the first:
how far it is from 1 is the machine's noise.
`, o.rounds, transfersEach, openings, noFilterToo)
	return err
}
