package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/routelens/routelens/envoy/lab"
)

// result holds what must agree: the callers' counts, Envoy's, and the store's.
type result struct {
	report    lab.Report
	exchanges map[lab.Outcome]int
	pipeline  lab.Pipeline
	stored    map[string]int // records by request id
	late      error          // why the counts may not be final
}

// check waits until the last record has arrived, at most as long as the plugin itself goes on trying.
func check(ctx context.Context, p *parts, report lab.Report) (result, error) {
	stats, late := p.envoy.Quiet(ctx, report.Sent, 70*time.Second)
	stored, err := p.store.RequestIDs(ctx, report.Filter())
	return result{report, stats.Exchanges(), stats.Pipeline(), stored, late}, err
}

// summary is for the end by Ctrl-C.
func (r result) summary() string {
	return fmt.Sprintf("%s requests were sent; the store has %s of them.\nRecords: %s.",
		thousands(r.report.Sent), thousands(len(r.stored)), r.pipeline)
}

// table shows the comparison, route by route.
func (r result) table() string {
	rows := [][]string{{"ROUTE", "CODE", "CALLERS SAW", "ENVOY COUNTED", ""}}
	for _, o := range r.outcomes() {
		rows = append(rows, []string{o.Route, o.Code, thousands(r.report.Counts[o]), thousands(r.exchanges[o]), verdict(r.report.Counts[o] == r.exchanges[o])})
	}
	rows = append(rows, []string{"all", "", thousands(r.report.Sent), thousands(total(r.exchanges)), verdict(r.report.Sent == total(r.exchanges))})
	return strings.Join(append(columns(rows, rightAligned),
		"",
		fmt.Sprintf("Records: %s   %s", r.pipeline, verdict(r.pipelineFault() == nil)),
		fmt.Sprintf("The store has %s of %s requests, each once   %s", thousands(len(r.stored)), thousands(r.report.Sent), verdict(r.storeFault() == nil)),
	), "\n")
}

// fault is nil if nothing is missing or miscounted, and else says all that is.
func (r result) fault() error {
	faults := []error{r.late}
	faults = append(faults, r.report.Failures...)
	for _, o := range r.outcomes() {
		if saw, counted := r.report.Counts[o], r.exchanges[o]; saw != counted {
			faults = append(faults, fmt.Errorf("route %s, code %s: callers saw %d, Envoy counted %d", o.Route, o.Code, saw, counted))
		}
	}
	return errors.Join(append(faults, r.pipelineFault(), r.storeFault())...)
}

func (r result) pipelineFault() error {
	if p := r.pipeline; p.Emitted != p.Ended() || p.Emitted != r.report.Sent {
		return fmt.Errorf("records: %s; all %d requests should have been emitted", p, r.report.Sent)
	}
	return nil
}

func (r result) storeFault() error {
	var missing, repeated []string
	for n := range r.report.Sent {
		switch id := r.report.ID(n); r.stored[id] {
		case 0:
			missing = append(missing, id)
		case 1:
		default:
			repeated = append(repeated, id)
		}
	}
	return errors.Join(some("missing from the store", missing), some("in the store more than once", repeated))
}

func some(what string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return fmt.Errorf("requests %s: %d, such as %s", what, len(ids), strings.Join(ids[:min(3, len(ids))], ", "))
}

// outcomes are those that either side counted.
func (r result) outcomes() []lab.Outcome {
	var all []lab.Outcome
	for o := range r.report.Counts {
		all = append(all, o)
	}
	for o := range r.exchanges {
		if _, seen := r.report.Counts[o]; !seen {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b lab.Outcome) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Code, b.Code))
	})
	return all
}

func total(counts map[lab.Outcome]int) int {
	n := 0
	for _, count := range counts {
		n += count
	}
	return n
}

func verdict(agree bool) string {
	if agree {
		return "ok"
	}
	return "WRONG"
}
