package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/routelens/routelens/plugin/metrics"
)

// Bins are a histogram at Envoy's own resolution, two digits: counts by lower bound. Unlike quantiles,
// they can be added and taken from each other.
type Bins map[float64]Bin

// Bin is one bar of a histogram.
type Bin struct {
	Low   float64 `json:"lower_bound"`
	Width float64 `json:"width"`
	Count int     `json:"count"`
}

// Durations reads the durations of all exchanges so far, in milliseconds, by route.
func (e *Envoy) Durations(ctx context.Context) (map[string]Bins, error) {
	page, err := fetch(ctx, e.Admin+"/stats", "format", "json", "histogram_buckets", "detailed", "type", "Histograms", "filter", metrics.Duration)
	if err != nil {
		return nil, err
	}
	return parseDurations(page)
}

func parseDurations(page []byte) (map[string]Bins, error) {
	var answer struct {
		Stats []struct {
			Histograms struct {
				Details []struct {
					Name   string
					Totals []Bin
				}
			}
		}
	}
	if err := json.Unmarshal(page, &answer); err != nil {
		return nil, fmt.Errorf("Envoy's /stats?format=json: %w", err)
	}
	routes := map[string]Bins{}
	for _, stat := range answer.Stats {
		for _, histogram := range stat.Histograms.Details {
			route := labelIn(histogram.Name, metrics.LabelRoute)
			if routes[route] == nil {
				routes[route] = Bins{}
			}
			for _, bin := range histogram.Totals {
				routes[route].Add(bin)
			}
		}
	}
	return routes, nil
}

// labelIn finds a label in a name as it is stored: wasmcustom.LABEL=.=VALUE;.;...NAME.
func labelIn(name, label string) string {
	for _, part := range strings.Split(strings.TrimPrefix(name, "wasmcustom."), ";.;") {
		if value, ok := strings.CutPrefix(part, label+"=.="); ok {
			return value
		}
	}
	return ""
}

// Add counts a bin in.
func (b Bins) Add(bin Bin) {
	bin.Count += b[bin.Low].Count
	b[bin.Low] = bin
}

// Since is what came after the earlier reading.
func (b Bins) Since(earlier Bins) Bins {
	since := Bins{}
	for low, bin := range b {
		if bin.Count -= earlier[low].Count; bin.Count > 0 {
			since[low] = bin
		}
	}
	return since
}

// Count is how many values there are.
func (b Bins) Count() int {
	n := 0
	for _, bin := range b {
		n += bin.Count
	}
	return n
}

// Quantile is the value below which the share q lies, read off within its bin; 0 of no values.
func (b Bins) Quantile(q float64) float64 {
	bins := make([]Bin, 0, len(b))
	for _, bin := range b {
		bins = append(bins, bin)
	}
	sort.Slice(bins, func(i, j int) bool { return bins[i].Low < bins[j].Low })
	rank := q * float64(b.Count())
	for _, bin := range bins {
		if rank <= float64(bin.Count) {
			return bin.Low + bin.Width*rank/float64(bin.Count)
		}
		rank -= float64(bin.Count)
	}
	return 0
}
