package lab

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/routelens/routelens/plugin/metrics"
)

// Stats are Envoy's stats as a Prometheus would read them: labels are what Envoy made of the names.
// Of a histogram there are its _count and _sum.
type Stats []Stat

// Stat is one series.
type Stat struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Stats reads the plugin's stats.
func (e *Envoy) Stats(ctx context.Context) (Stats, error) { return e.StatsOf(ctx, "routelens_") }

// StatsOf reads the stats whose names, as Envoy stores them, match the filter, a regular expression.
func (e *Envoy) StatsOf(ctx context.Context, filter string) (Stats, error) {
	page, err := fetch(ctx, e.Admin+"/stats/prometheus", "filter", filter)
	if err != nil {
		return nil, err
	}
	return parseStats(page)
}

func parseStats(page []byte) (Stats, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		return nil, fmt.Errorf("Envoy's /stats/prometheus: %w", err)
	}
	var stats Stats
	for name, family := range families {
		for _, m := range family.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				stats = append(stats,
					Stat{name + "_count", labels, float64(h.GetSampleCount())},
					Stat{name + "_sum", labels, h.GetSampleSum()})
				continue
			}
			// All getters but the right one give zero.
			stats = append(stats, Stat{name, labels, m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()})
		}
	}
	return stats, nil
}

// Sum adds up the series of that name which have all the labels, given as "route=catalog".
func (s Stats) Sum(name string, labels ...string) float64 {
	var sum float64
	for _, stat := range s {
		if stat.Name == name && stat.has(labels) {
			sum += stat.Value
		}
	}
	return sum
}

func (s Stat) has(labels []string) bool {
	for _, l := range labels {
		name, value, _ := strings.Cut(l, "=")
		if s.Labels[name] != value {
			return false
		}
	}
	return true
}

// Exchanges are the plugin's counts by route and response code, to be compared with Report.Counts.
func (s Stats) Exchanges() map[Outcome]int {
	counts := map[Outcome]int{}
	for _, stat := range s {
		if stat.Name == metrics.Requests {
			counts[Outcome{stat.Labels[metrics.LabelRoute], stat.Labels[metrics.LabelCode]}] += int(stat.Value)
		}
	}
	return counts
}

// Pipeline is what became of the records.
type Pipeline struct {
	Emitted, Delivered, Dropped, Unconfirmed int
	Waiting                                  int // held by the collector
	WaitingBytes                             int
	Retries                                  int
}

// Pipeline reads the pipeline's own stats.
func (s Stats) Pipeline() Pipeline {
	return Pipeline{
		Emitted:      int(s.Sum(metrics.Emitted)),
		Delivered:    int(s.Sum(metrics.Delivered)),
		Dropped:      int(s.Sum(metrics.Dropped)),
		Unconfirmed:  int(s.Sum(metrics.Unconfirmed)),
		Waiting:      int(s.Sum(metrics.WaitingRecords)),
		WaitingBytes: int(s.Sum(metrics.WaitingBytes)),
		Retries:      int(s.Sum(metrics.Retries)),
	}
}

// Ended counts the records whose fate is known. It is never above Emitted, and equals it when all is quiet.
func (p Pipeline) Ended() int { return p.Delivered + p.Dropped + p.Unconfirmed }

func (p Pipeline) String() string {
	return fmt.Sprintf("%d emitted = %d delivered + %d dropped + %d unconfirmed, %d waiting", p.Emitted, p.Delivered, p.Dropped, p.Unconfirmed, p.Waiting)
}

// Quiet waits until at least n exchanges are counted, every record's fate is known and nothing has
// changed for half a second. With an error it still returns the last stats.
func (e *Envoy) Quiet(ctx context.Context, n int, limit time.Duration) (stats Stats, err error) {
	type moment struct {
		exchanges int
		Pipeline
	}
	var last moment
	var since time.Time
	waited := Until(ctx, fmt.Sprintf("%d exchanges and the fate of their records", n), limit, func(ctx context.Context) (string, bool) {
		if stats, err = e.Stats(ctx); err != nil {
			return err.Error(), false
		}
		now := moment{int(stats.Sum(metrics.Requests)), stats.Pipeline()}
		if now != last {
			last, since = now, time.Now()
		}
		quiet := now.exchanges >= n && now.Ended() == now.Emitted && time.Since(since) > 500*time.Millisecond
		return fmt.Sprintf("%d exchanges, %s", now.exchanges, now.Pipeline), quiet
	})
	return stats, waited
}
