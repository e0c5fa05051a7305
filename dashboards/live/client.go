package live

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// Client asks a Prometheus.
type Client struct{ URL string }

// Series is one series of an answer. Of native histograms it tells how many there are.
type Series struct {
	Labels     map[string]string
	Values     []float64
	Histograms int
}

// Last is the newest value.
func (s Series) Last() float64 {
	if len(s.Values) == 0 {
		return math.NaN()
	}
	return s.Values[len(s.Values)-1]
}

// Query evaluates an expression at one time.
func (c Client) Query(ctx context.Context, expr string, at time.Time) ([]Series, error) {
	return c.series(ctx, "query", url.Values{"query": {expr}, "time": {unix(at)}})
}

// QueryRange evaluates an expression at each step up to the end.
func (c Client) QueryRange(ctx context.Context, expr string, start, end time.Time, step time.Duration) ([]Series, error) {
	return c.series(ctx, "query_range", url.Values{
		"query": {expr}, "start": {unix(start)}, "end": {unix(end)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)},
	})
}

// LabelValues are the values that a label has on the series that the selector matches; empty: on all.
func (c Client) LabelValues(ctx context.Context, selector, label string) ([]string, error) {
	query := url.Values{}
	if selector != "" {
		query.Set("match[]", selector)
	}
	var values []string
	err := c.get(ctx, "label/"+label+"/values", query, &values)
	return values, err
}

// Rule is what Prometheus tells of a rule.
type Rule struct {
	Name, Type, Query string
	Health, LastError string
	State             string // of an alert: inactive, pending or firing
	Labels            map[string]string
	Alerts            []Alert
}

// Alert is one that is pending or firing.
type Alert struct {
	Labels, Annotations map[string]string
	State               string
	ActiveAt            time.Time
}

// Rules are all that are loaded.
func (c Client) Rules(ctx context.Context) ([]Rule, error) {
	var answer struct {
		Groups []struct{ Rules []Rule }
	}
	if err := c.get(ctx, "rules", nil, &answer); err != nil {
		return nil, err
	}
	var all []Rule
	for _, group := range answer.Groups {
		all = append(all, group.Rules...)
	}
	return all, nil
}

func (c Client) series(ctx context.Context, page string, query url.Values) ([]Series, error) {
	var answer struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := c.get(ctx, page, query, &answer); err != nil {
		return nil, err
	}
	if answer.ResultType == "scalar" {
		var one point
		err := json.Unmarshal(answer.Result, &one)
		return []Series{{Values: []float64{float64(one)}}}, err
	}
	var results []struct {
		Metric     map[string]string
		Value      *point
		Values     []point
		Histogram  json.RawMessage
		Histograms []json.RawMessage
	}
	if err := json.Unmarshal(answer.Result, &results); err != nil {
		return nil, fmt.Errorf("Prometheus' answer of type %s: %w", answer.ResultType, err)
	}
	all := make([]Series, len(results))
	for i, r := range results {
		all[i] = Series{Labels: r.Metric, Histograms: len(r.Histograms)}
		if r.Histogram != nil {
			all[i].Histograms++
		}
		if r.Value != nil {
			r.Values = append(r.Values, *r.Value)
		}
		for _, v := range r.Values {
			all[i].Values = append(all[i].Values, float64(v))
		}
	}
	return all, nil
}

// point is the value of a pair of time and value.
type point float64

func (p *point) UnmarshalJSON(b []byte) error {
	var pair [2]any
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	text, _ := pair[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	*p = point(value)
	return err
}

var web = &http.Client{Timeout: 30 * time.Second}

func (c Client) get(ctx context.Context, page string, query url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/api/v1/"+page+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := web.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          any
	}
	answer.Data = into
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("Prometheus answered %s to %s: %w", response.Status, page, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("Prometheus: %s", answer.Error)
	}
	return nil
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

func parseDuration(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	return time.Duration(d), err
}
