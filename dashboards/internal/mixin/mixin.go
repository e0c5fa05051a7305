// Package mixin is the configuration that dashboards, rules and alerts are made from.
package mixin

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/routelens/routelens/plugin/metrics"
)

// The ways in which Prometheus stores histograms.
const (
	Classic = "classic"
	Native  = "native"
)

// The log stores that there are queries for.
const (
	Loki         = "loki"
	VictoriaLogs = "victorialogs"
)

// Config is mixin.yaml, which describes each key.
type Config struct {
	Histograms string
	Selector   string
	Labels     Labels
	Plugin     string
	Sink       string
	Errors     map[string]string // label to regular expression
	Logs       Logs
	Objectives Objectives
	Window     string
	Pipeline   Pipeline
	Runbook    string
}

// Labels are those of a target.
type Labels struct{ Namespace, Workload string }

// Logs say where the records are: what selects them in each store.
type Logs struct{ Store, Loki, VictoriaLogs string }

// Selector is that of the store.
func (l Logs) Selector() string {
	if l.Store == VictoriaLogs {
		return l.VictoriaLogs
	}
	return l.Loki
}

// Objectives are of routes, and when to alert on them.
type Objectives struct {
	Routes  []Objective
	Windows []Window
	MinRate float64 `yaml:"min_rate"`
}

// Objective is what the routes are to hold whose names match, and none before it.
type Objective struct {
	Match        string
	Availability float64
	Latency      Latency
}

// Latency is the share of the exchanges that are to take no longer.
type Latency struct {
	Under time.Duration
	Share float64
}

// Window is a pair of windows over which an error budget burns too fast.
type Window struct {
	Long, Short string
	Burn        float64
	For         string
	Severity    string
}

// Pipeline is when the pipeline's alerts fire; shares are of 1.
type Pipeline struct {
	For                      string
	Dropped, Backlog, Series float64
}

// Load reads the file, and checks it.
func Load(file string) (Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	c, err := Parse(data)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Parse reads a configuration, and tells of all that is wrong in it.
func Parse(data []byte) (Config, error) {
	var c Config
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		return Config{}, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Validate tells of all that is wrong.
func (c Config) Validate() error {
	var f faults
	f.oneOf("histograms", c.Histograms, Classic, Native)
	f.oneOf("logs.store", c.Logs.Store, Loki, VictoriaLogs)
	f.selector("selector", c.Selector)
	f.label("labels.namespace", c.Labels.Namespace)
	f.label("labels.workload", c.Labels.Workload)
	f.filled("plugin", c.Plugin)
	f.filled("sink", c.Sink)
	f.filled("logs."+c.Logs.Store, c.Logs.Selector())
	f.filled("runbook", c.Runbook)
	f.errors(c.Errors)
	f.objectives(c.Objectives, f.duration("window", c.Window))
	f.duration("pipeline.for", c.Pipeline.For)
	f.share("pipeline.dropped", c.Pipeline.Dropped)
	f.share("pipeline.backlog", c.Pipeline.Backlog)
	f.share("pipeline.series", c.Pipeline.Series)
	return errors.Join(f...)
}

// Native tells whether histograms are native.
func (c Config) Native() bool { return c.Histograms == Native }

type faults []error

func (f *faults) report(key, rule string, value any) {
	*f = append(*f, fmt.Errorf("%s must be %s, is %#v", key, rule, value))
}

func (f *faults) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.report(key, strings.Join(allowed, " or "), value)
	}
}

func (f *faults) filled(key, value string) {
	if value == "" {
		f.report(key, "given", value)
	}
}

func (f *faults) selector(key, value string) {
	if _, err := parser.NewParser(parser.Options{}).ParseMetricSelector("x{" + value + "}"); err != nil {
		f.report(key, "a list of PromQL's matchers, such as job=\"envoy\"", value)
	}
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (f *faults) label(key, value string) {
	if !labelName.MatchString(value) {
		f.report(key, "a label's name", value)
	}
}

func (f *faults) regexp(key, value string) {
	if _, err := regexp.Compile(value); err != nil || value == "" {
		f.report(key, "a regular expression", value)
	}
}

// duration is 0 where it is none.
func (f *faults) duration(key, value string) model.Duration {
	d, err := model.ParseDuration(value)
	if err != nil || d == 0 {
		f.report(key, "a time, such as 5m", value)
	}
	return d
}

// atLeast compares what are both times.
func (f *faults) atLeast(key string, d, least model.Duration, rule string) {
	if d != 0 && d < least {
		f.report(key, rule, d.String())
	}
}

func (f *faults) share(key string, value float64) {
	if value <= 0 || value >= 1 {
		f.report(key, "above 0 and below 1", value)
	}
}

func (f *faults) errors(of map[string]string) {
	if len(of) == 0 {
		f.report("errors", "at least one label with what it holds for an error", of)
	}
	for label, value := range of {
		if !slices.Contains(metrics.EnvoyLabels, label) {
			f.report("errors."+label, "one of "+strings.Join(metrics.EnvoyLabels, ", "), label)
		}
		f.regexp("errors."+label, value)
	}
}

func (f *faults) objectives(o Objectives, window model.Duration) {
	if len(o.Routes) == 0 {
		f.report("objectives.routes", "at least one", o.Routes)
	}
	for i, r := range o.Routes {
		key := fmt.Sprintf("objectives.routes[%d].", i)
		f.regexp(key+"match", r.Match)
		f.share(key+"availability", r.Availability)
		f.share(key+"latency.share", r.Latency.Share)
		if r.Latency.Under < time.Millisecond || r.Latency.Under%time.Millisecond != 0 {
			f.report(key+"latency.under", "whole milliseconds", r.Latency.Under.String())
		}
	}
	if len(o.Windows) == 0 {
		f.report("objectives.windows", "at least one", o.Windows)
	}
	for i, w := range o.Windows {
		key := fmt.Sprintf("objectives.windows[%d].", i)
		short, long := f.duration(key+"short", w.Short), f.duration(key+"long", w.Long)
		f.atLeast(key+"short", short, window, "at least window ("+window.String()+")")
		f.atLeast(key+"long", long, short+1, "longer than short ("+short.String()+")")
		f.duration(key+"for", w.For)
		f.filled(key+"severity", w.Severity)
		if w.Burn <= 0 {
			f.report(key+"burn", "above 0", w.Burn)
		}
	}
	if o.MinRate < 0 {
		f.report("objectives.min_rate", "0 or above", o.MinRate)
	}
}
