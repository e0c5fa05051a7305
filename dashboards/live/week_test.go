//go:build live

package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/golang/snappy"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// past is what is told to a Prometheus of earlier times: every five seconds, what Envoy had counted so far came again.
type past struct {
	families []*dto.MetricFamily
	labels   map[string]string // of the target
}

const comesAgain = 5 * time.Second

// remember reads Envoy's page, in which native histograms have their place too.
func (s *stand) remember(t *testing.T, native bool, labels map[string]string) past {
	t.Helper()
	page := s.Admin + "/stats/prometheus"
	if native {
		page += "?histogram_buckets=prometheusnative"
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	require.NoError(t, err)
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	request.Header.Set("Accept", string(format))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	p := past{labels: maps.Clone(labels)}
	if p.labels == nil {
		p.labels = map[string]string{}
	}
	p.labels["job"], p.labels["instance"] = "envoy", s.Admin[len("http://"):]
	for decoder := expfmt.NewDecoder(response.Body, expfmt.ResponseFormat(response.Header)); ; {
		family := new(dto.MetricFamily)
		if err := decoder.Decode(family); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		p.families = append(p.families, family)
	}
	require.NotEmpty(t, p.families)
	return p
}

// tell writes ten minutes, from a little before now but so long ago, the longest first: it has to come before anything newer.
// So the Prometheus is one that scrapes nothing, and is gone with that. What it leaves in the folder is for the next one.
func (p past) tell(t *testing.T, dir string, native bool, ago ...time.Duration) {
	t.Helper()
	prometheus, err := lab.StartPrometheus(t.Context(), lab.PrometheusOptions{
		Binary: needed(t, "ROUTELENS_PROMETHEUS"), Dir: dir, Native: native, Args: []string{"--web.enable-remote-write-receiver"},
	})
	require.NoError(t, err)
	slices.Sort(ago)
	slices.Reverse(ago)
	for _, d := range ago {
		first := time.Now().Add(-d - 2*time.Minute)
		var times []time.Time
		for at := first; at.Before(first.Add(10*time.Minute)) && at.Before(time.Now()); at = at.Add(comesAgain) {
			times = append(times, at)
		}
		for part := range slices.Chunk(times, 20) {
			require.NoError(t, p.write(t.Context(), prometheus.URL, part, first))
		}
	}
	require.NoError(t, prometheus.Stop())
}

func (p past) write(ctx context.Context, url string, times []time.Time, first time.Time) error {
	var request prompb.WriteRequest
	for _, family := range p.families {
		for _, metric := range family.Metric {
			request.Timeseries = append(request.Timeseries, p.series(family, metric, times, first)...)
		}
	}
	raw, err := request.Marshal()
	if err != nil {
		return err
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, raw)))
	if err != nil {
		return err
	}
	post.Header.Set("Content-Encoding", "snappy")
	post.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("remote write: %s: %s", response.Status, text)
	}
	return nil
}

// series are those of one metric. Counters grow by their first value each time, gauges stay.
func (p past) series(family *dto.MetricFamily, m *dto.Metric, times []time.Time, first time.Time) (all []prompb.TimeSeries) {
	add := func(suffix string, value float64, grows bool, extra ...string) {
		samples := make([]prompb.Sample, len(times))
		for i, at := range times {
			samples[i] = prompb.Sample{Timestamp: at.UnixMilli(), Value: value}
			if grows {
				samples[i].Value *= float64(turn(at, first))
			}
		}
		all = append(all, prompb.TimeSeries{Labels: p.names(family.GetName()+suffix, m, extra...), Samples: samples})
	}
	switch h := m.GetHistogram(); {
	case h == nil:
		add("", m.GetCounter().GetValue()+m.GetGauge().GetValue()+m.GetUntyped().GetValue(), m.Counter != nil)
	case h.Schema != nil:
		series := prompb.TimeSeries{Labels: p.names(family.GetName(), m)}
		for _, at := range times {
			series.Histograms = append(series.Histograms, repeated(h, turn(at, first), at))
		}
		all = append(all, series)
	default:
		add("_sum", h.GetSampleSum(), true)
		add("_count", float64(h.GetSampleCount()), true)
		for _, bucket := range h.Bucket {
			add("_bucket", float64(bucket.GetCumulativeCount()), true, "le", strconv.FormatFloat(bucket.GetUpperBound(), 'g', -1, 64))
		}
		add("_bucket", float64(h.GetSampleCount()), true, "le", "+Inf")
	}
	return all
}

// turn is how often it came by then.
func turn(at, first time.Time) int64 { return 1 + int64(at.Sub(first)/comesAgain) }

// repeated is a native histogram of n times as many values.
func repeated(h *dto.Histogram, n int64, at time.Time) prompb.Histogram {
	out := prompb.Histogram{
		Count: &prompb.Histogram_CountInt{CountInt: h.GetSampleCount() * uint64(n)}, Sum: h.GetSampleSum() * float64(n),
		Schema: h.GetSchema(), ZeroThreshold: h.GetZeroThreshold(),
		ZeroCount: &prompb.Histogram_ZeroCountInt{ZeroCountInt: h.GetZeroCount() * uint64(n)},
		Timestamp: at.UnixMilli(),
	}
	for _, span := range h.PositiveSpan {
		out.PositiveSpans = append(out.PositiveSpans, prompb.BucketSpan{Offset: span.GetOffset(), Length: span.GetLength()})
	}
	for _, delta := range h.PositiveDelta {
		out.PositiveDeltas = append(out.PositiveDeltas, delta*n)
	}
	return out
}

func (p past) names(name string, m *dto.Metric, extra ...string) []prompb.Label {
	set := maps.Clone(p.labels)
	set["__name__"] = name
	for _, l := range m.Label {
		set[l.GetName()] = l.GetValue()
	}
	for i := 0; i+1 < len(extra); i += 2 {
		set[extra[i]] = extra[i+1]
	}
	var out []prompb.Label
	for _, key := range slices.Sorted(maps.Keys(set)) {
		out = append(out, prompb.Label{Name: key, Value: set[key]})
	}
	return out
}
