package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report is what -o writes.
type Report struct {
	Rounds      int      `json:"rounds"`
	Slice       string   `json:"slice"`
	Connections int      `json:"connections"`
	Variants    []Figure `json:"variants"`
	Notes       []string `json:"notes,omitempty"`
}

// Figure is one variant. Ratios are taken round by round, so that what slows a whole round cancels out.
type Figure struct {
	Name        string         `json:"name"`
	CPU         Series         `json:"cpu_us_per_request"`
	OverNone    *Series        `json:"cpu_ratio_to_no_filter,omitempty"`
	OverEmpty   *Series        `json:"cpu_ratio_to_empty_plugin,omitempty"`
	P50         Series         `json:"p50_us"`
	P99         Series         `json:"p99_us"`
	RSS         Series         `json:"rss_mib"`
	Rate        Series         `json:"requests_per_second_at_full_load"`
	Paced       float64        `json:"latency_rate"` // requests a second that latency was measured at
	Body        int            `json:"body_bytes,omitempty"`
	Dropped     int            `json:"records_dropped,omitempty"`
	Calls       float64        `json:"host_calls_per_request,omitempty"`
	CallsByName map[string]int `json:"host_calls_by_name,omitempty"` // of CallsOf requests
	CallsOf     int            `json:"host_calls_counted_requests,omitempty"`
	Reads       float64        `json:"host_memory_callbacks_per_request,omitempty"`
	Later       float64        `json:"host_calls_in_ticks_per_request,omitempty"`
	IdleCalls   float64        `json:"host_calls_per_second_idle,omitempty"`
}

// Series is a figure of each round.
type Series struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

func newSeries(values []float64) Series {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return Series{}
	}
	return Series{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], Rounds: values}
}

// ratio is nil where there is nothing to compare with.
func ratio(values []float64, base *subject) *Series {
	if base == nil {
		return nil
	}
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / base.CPU[i]
	}
	series := newSeries(ratios)
	return &series
}

// withoutFilter names the variant without a filter that passes the same bodies.
func withoutFilter(body int) string {
	if body == 0 {
		return noFilter
	}
	return noFilter + ", " + sizeName(body)
}

func newReport(o options, f fleet) Report {
	named := map[string]*subject{}
	for _, s := range f {
		named[s.name] = s
	}
	r := Report{Rounds: o.rounds, Slice: o.slice.String(), Connections: o.connections}
	for _, s := range f {
		figure := Figure{
			Name: s.name, CPU: newSeries(s.CPU), P50: newSeries(s.P50), P99: newSeries(s.P99),
			RSS: newSeries(s.RSS), Rate: newSeries(s.Rate), Paced: s.rate, Body: s.body, OverEmpty: ratio(s.CPU, named[s.base]),
		}
		if none := withoutFilter(s.body); s.name != none {
			figure.OverNone = ratio(s.CPU, named[none])
		}
		if figure.Dropped = s.dropped; figure.Dropped > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: %d of %d exchanges' records were dropped, as the sink did not keep up.", s.name, s.dropped, s.sent))
		}
		if c := s.calls; c != nil {
			figure.Calls, figure.CallsByName, figure.CallsOf = c.perRequest(), c.byName, c.requests
			figure.Reads, figure.Later, figure.IdleCalls = c.readsPerRequest(), c.laterPerRequest(), c.idle
		}
		r.Variants = append(r.Variants, figure)
	}
	return r
}

func (r Report) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func (r Report) writeTable(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tCPU us/request\tspread\tx no filter\tx empty\tspread\tp50 us\tp99 us\tRSS MiB\thost calls/request\tdata reads\tin ticks\tidle/s\t")
	for _, v := range r.Variants {
		fmt.Fprintf(table, "%s\t%.1f\t%s\t%s\t%s\t%s\t%.0f\t%.0f\t%.0f\t%s\t\n", v.Name, v.CPU.Median, v.CPU.spread(1),
			v.OverNone.median(), v.OverEmpty.median(), v.OverEmpty.spread(2), v.P50.Median, v.P99.Median, v.RSS.Median, v.calls())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
Medians of %d rounds of %s, Envoy with one worker, %d connections; spreads are from the lowest to the
highest round, ratios are taken within a round. Latency is from when each request was due, at %s. Host calls are those made in a request's callbacks; data reads, those of them that made the
host call back for memory; in ticks, what a request causes later, shipping included (at %d requests a
second: more share one call where there are more); idle, what all threads' ticks do without requests.
`, r.Rounds, r.Slice, r.Connections, r.paces(), countedRate)
	if err != nil || len(r.Notes) == 0 {
		return err
	}
	_, err = fmt.Fprintln(w, strings.Join(r.Notes, "\n"))
	return err
}

// paces says at what rates latency was measured: one for each size of bodies.
func (r Report) paces() string {
	var paces []string
	for i, v := range r.Variants {
		if slices.ContainsFunc(r.Variants[:i], func(other Figure) bool { return other.Body == v.Body }) {
			continue
		}
		pace := fmt.Sprintf("%.0f a second", v.Paced)
		if v.Body > 0 {
			pace += " with bodies of " + sizeName(v.Body)
		}
		paces = append(paces, pace)
	}
	return strings.Join(paces, ", ")
}

func (s *Series) median() string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", s.Median)
}

func (s *Series) spread(digits int) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f..%.*f", digits, s.Min, digits, s.Max)
}

func (f Figure) calls() string {
	if f.CallsOf == 0 {
		return "-\t-\t-\t-"
	}
	return fmt.Sprintf("%.1f\t%.1f\t%.1f\t%.0f", f.Calls, f.Reads, f.Later, f.IdleCalls)
}
