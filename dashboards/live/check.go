package live

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Checker asks what a dashboard would ask, and looks at the answers.
type Checker struct {
	Prometheus Client
	Logs       Logs // nil: queries of logs are findings
	Range      time.Duration
	Scrape     time.Duration // of Prometheus
	// Absent are variables of labels that this Prometheus does not have: they may be without values, and nothing else.
	Absent []string
	// Rare are titles of panels of what not every choice has, such as flags of failed responses. Some choice must have it.
	Rare []string
}

// Logs is a store of records.
type Logs interface {
	// Count is how many records a query gives, up to some limit, or how many series where the target's kind is one of numbers.
	Count(ctx context.Context, kind, query string, start, end time.Time) (int, error)
}

// Finding is what is wrong with one query.
type Finding struct{ Where, Query, What string }

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Where, f.What, f.Query) }

// Report is what came of a check.
type Report struct {
	Queries  int // that were sent
	Findings []Finding
}

func (r *Report) find(where, query, what string, args ...any) {
	r.Findings = append(r.Findings, Finding{where, query, fmt.Sprintf(what, args...)})
}

// Dashboard asks every query of every variable and panel: first as the dashboard opens, then with each value of each
// variable.
func (c Checker) Dashboard(ctx context.Context, d Dashboard) Report {
	run := c.run(d)
	choices := run.variables(ctx)
	opening := run.opening(choices)
	run.panels(ctx, opening, "")
	for _, choice := range choices {
		if choice.Type == "datasource" || len(choice.options) < 2 && choice.only() {
			continue
		}
		for _, option := range choice.options {
			run.panels(ctx, opening.With(choice.Variable, option), fmt.Sprintf(" (%s=%s)", choice.Name, option))
		}
	}
	for _, title := range c.Rare {
		if run.rare[title] == none {
			run.find(fmt.Sprintf("%s, panel %q", d.UID, title), "", "no choice has anything")
		}
	}
	return run.Report
}

func (c Checker) run(d Dashboard) *run {
	return &run{Checker: c, dashboard: d, rare: map[string]presence{}, names: map[string]bool{}, span: Span{End: time.Now(), Range: c.Range, Scrape: c.Scrape, Step: c.Scrape}}
}

type run struct {
	Checker
	Report
	dashboard Dashboard
	span      Span
	rare      map[string]presence // of panels, by title
	names     map[string]bool     // metrics that were asked for: whether they are there
}

// presence tells of what Rare panels have shown, over all choices.
type presence int

const (
	unasked presence = iota
	none
	some
)

// choice is a variable with the values that there are to choose from.
type choice struct {
	Variable
	options []string
}

// only tells whether the dashboard opens with the single option that there is.
func (c choice) only() bool { return !c.IncludeAll }

// opening is the scope that the dashboard opens with.
func (r *run) opening(choices []choice) Scope {
	scope := NewScope(r.span)
	for _, c := range choices {
		scope = c.open(scope)
	}
	return scope
}

func (c choice) open(scope Scope) Scope {
	if c.IncludeAll {
		return scope.WithAll(c.Variable, c.options)
	}
	for _, value := range c.Current.Value {
		if slices.Contains(c.options, value) {
			return scope.With(c.Variable, value)
		}
	}
	return scope.With(c.Variable, c.options[:min(1, len(c.options))]...)
}

// variables finds the values of each, in order, as one may depend on those before it.
func (r *run) variables(ctx context.Context) (choices []choice) {
	scope := NewScope(r.span)
	for _, v := range r.dashboard.Templating.List {
		c := choice{Variable: v}
		where := fmt.Sprintf("%s, variable %s", r.dashboard.UID, v.Name)
		options, err := r.options(ctx, v, scope)
		switch {
		case err != nil:
			r.find(where, string(v.Query), "%v", err)
		case len(options) == 0 && !slices.Contains(r.Absent, v.Name):
			r.find(where, string(v.Query), "it has no values")
		case len(options) > 0 && slices.Contains(r.Absent, v.Name):
			r.find(where, string(v.Query), "it has values, %v, and was to be absent", options)
		}
		c.options = options
		choices = append(choices, c)
		scope = c.open(scope)
	}
	return choices
}

func (r *run) options(ctx context.Context, v Variable, scope Scope) ([]string, error) {
	switch v.Type {
	case "datasource":
		return []string{string(v.Query)}, nil // one of that kind
	case "custom", "interval":
		return split(string(v.Query)), nil
	case "constant", "textbox":
		return []string{string(v.Query)}, nil
	case "query":
		query, err := scope.Expand(string(v.Query))
		if err != nil {
			return nil, err
		}
		r.Queries++
		values, err := r.ask(ctx, query)
		if err != nil {
			return nil, err
		}
		return filter(values, v.Regex)
	}
	return nil, fmt.Errorf("its type %q is none that this check knows", v.Type)
}

var (
	labelValues = regexp.MustCompile(`^label_values\((?:(.+),\s*)?([a-zA-Z_]\w*)\)\s*$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)\s*$`)
)

// ask answers a variable's query as the Prometheus data source does.
func (r *run) ask(ctx context.Context, query string) ([]string, error) {
	if part := labelValues.FindStringSubmatch(query); part != nil {
		return r.Prometheus.LabelValues(ctx, part[1], part[2])
	}
	part := queryResult.FindStringSubmatch(query)
	if part == nil {
		return nil, fmt.Errorf("it is neither label_values(...) nor query_result(...)")
	}
	all, err := r.Prometheus.Query(ctx, part[1], r.span.End)
	values := make([]string, len(all))
	for i, s := range all {
		values[i] = fmt.Sprintf("%s %v", labels(s.Labels), s.Last())
	}
	return values, err
}

// filter keeps what a variable's regex matches: its first group, where there is one.
func filter(values []string, regex string) ([]string, error) {
	if regex == "" {
		return values, nil
	}
	pattern, err := regexp.Compile(strings.TrimSuffix(strings.TrimPrefix(regex, "/"), "/"))
	if err != nil {
		return nil, fmt.Errorf("its regex: %w", err)
	}
	var kept []string
	for _, value := range values {
		if part := pattern.FindStringSubmatch(value); part != nil && !slices.Contains(kept, part[len(part)-1]) {
			kept = append(kept, part[len(part)-1])
		}
	}
	return kept, nil
}

// split reads "a, b" and "Name : a, Name : b".
func split(list string) []string {
	var values []string
	for _, item := range strings.Split(list, ",") {
		if _, value, named := strings.Cut(item, " : "); named {
			item = value
		}
		if item = strings.TrimSpace(item); item != "" {
			values = append(values, item)
		}
	}
	return values
}

func (r *run) panels(ctx context.Context, scope Scope, with string) {
	for _, p := range r.dashboard.All() {
		for _, t := range p.Targets {
			if ctx.Err() == nil {
				r.target(ctx, p, t, scope, with)
			}
		}
	}
}

func (r *run) target(ctx context.Context, p Panel, t Target, scope Scope, with string) {
	where := fmt.Sprintf("%s, panel %d %q, query %s%s", r.dashboard.UID, p.ID, p.Title, t.RefID, with)
	a, err := r.prepare(p, t, scope)
	if err != nil {
		r.find(where, t.Expr, "%v", err)
		return
	}
	r.Queries++
	if a.Source != "prometheus" {
		n, err := r.logs(ctx, a)
		if err != nil || !r.excuse(p, n) {
			r.count(where, a.Query, n, err)
		}
		return
	}
	all, err := r.Prometheus.Query(ctx, a.Query, r.span.End)
	if !t.Instant && err == nil {
		var over []Series
		over, err = r.Prometheus.QueryRange(ctx, a.Query, r.span.End.Add(-r.span.Range), r.span.End, a.Span.Step)
		all = append(all, over...)
		if err == nil && len(over) == 0 {
			all = nil
		}
	}
	if err == nil && r.excuse(p, len(all)) {
		return
	}
	r.judge(where, a.Query, all, err)
	r.legend(where, t, all)
	if len(all) > 0 {
		r.metrics(ctx, where, a.Query)
	}
}

// metrics: each has to be there, whatever else the query falls back on where one is not, such as `or vector(0)`.
func (r *run) metrics(ctx context.Context, where, query string) {
	for _, name := range metricsIn(query) {
		there, asked := r.names[name]
		if !asked {
			r.Queries++
			all, err := r.Prometheus.Query(ctx, "count("+name+")", r.span.End)
			there = err == nil && len(all) > 0
			r.names[name] = there
		}
		if !there {
			r.find(where, query, "there is no metric %s", name)
		}
	}
}

// excuse keeps in mind what a Rare panel has shown, and tells whether its query may stay empty.
func (r *run) excuse(p Panel, n int) bool {
	if !slices.Contains(r.Rare, p.Title) {
		return false
	}
	if n > 0 {
		r.rare[p.Title] = some
	} else if r.rare[p.Title] == unasked {
		r.rare[p.Title] = none
	}
	return n == 0
}

// Asked is a query as it is sent, and what it gives at the end of the time shown.
type Asked struct {
	Panel  Panel
	Target Target
	Source string // the kind of data source
	Query  string
	Span   Span
	Series []Series
}

func (r *run) prepare(p Panel, t Target, scope Scope) (a Asked, err error) {
	a = Asked{Panel: p, Target: t, Span: r.span}
	if a.Span.Step, err = p.step(t, r.span); err != nil {
		return a, err
	}
	if a.Source, err = r.source(p, t); err != nil {
		return a, err
	}
	scope = scope.macros(a.Span)
	if a.Source == "loki" { // which has a macro of its own
		scope = scope.with("__auto", value{texts: []string{promDuration(max(a.Span.Step, time.Second))}, raw: true})
	}
	a.Query, err = scope.Expand(t.Expr)
	return a, err
}

// Ask gives what a dashboard's panels show of Prometheus, with some variables set.
func (c Checker) Ask(ctx context.Context, d Dashboard, set map[string]string) (all []Asked, err error) {
	r := c.run(d)
	choices := r.variables(ctx)
	scope := r.opening(choices)
	for _, choice := range choices {
		if value, ok := set[choice.Name]; ok {
			scope = scope.With(choice.Variable, value)
		}
	}
	for _, p := range d.All() {
		for _, t := range p.Targets {
			a, err := r.prepare(p, t, scope)
			if err == nil && a.Source == "prometheus" {
				a.Series, err = c.Prometheus.Query(ctx, a.Query, a.Span.End)
			}
			if err != nil {
				return nil, fmt.Errorf("%s, panel %q, query %s: %w", d.UID, p.Title, t.RefID, err)
			}
			all = append(all, a)
		}
	}
	return all, nil
}

// judge is for what any query gives.
func (r *Report) judge(where, query string, all []Series, err error) {
	switch {
	case err != nil:
		r.find(where, query, "%v", err)
	case len(all) == 0:
		r.find(where, query, "no series")
	}
	for _, s := range all {
		if slices.ContainsFunc(s.Values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			r.find(where, query, "not a number: %s is %v", labels(s.Labels), s.Values)
			return
		}
		if len(s.Values)+s.Histograms == 0 {
			r.find(where, query, "no value: %s", labels(s.Labels))
			return
		}
	}
}

var inLegend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// legend: a label that a series does not have would be left out of its name.
func (r *run) legend(where string, t Target, all []Series) {
	for _, part := range inLegend.FindAllStringSubmatch(t.LegendFormat, -1) {
		for _, s := range all {
			if _, has := s.Labels[part[1]]; !has {
				r.find(where, t.Expr, "the legend %q wants a label %s, and there is a series %s", t.LegendFormat, part[1], labels(s.Labels))
				return
			}
		}
	}
}

func (r *run) logs(ctx context.Context, a Asked) (int, error) {
	if r.Logs == nil {
		return 0, errors.New("there is no store of records to ask")
	}
	return r.Logs.Count(ctx, a.Target.QueryType, a.Query, r.span.End.Add(-r.span.Range), r.span.End)
}

// count is for what a query of records gives.
func (r *Report) count(where, query string, n int, err error) {
	switch {
	case err != nil:
		r.find(where, query, "%v", err)
	case n == 0:
		r.find(where, query, "no records")
	}
}

// source is the kind of data source that a query goes to, which has to be one to choose.
func (r *run) source(p Panel, t Target) (string, error) {
	source := t.Datasource
	if source == nil {
		source = p.Datasource
	}
	if source == nil {
		return "", fmt.Errorf("it has no data source")
	}
	for _, v := range r.dashboard.Templating.List {
		if v.Type == "datasource" && (source.UID == "${"+v.Name+"}" || source.UID == "$"+v.Name) {
			return string(v.Query), nil
		}
	}
	return "", fmt.Errorf("its data source %q is no variable of the dashboard", source.UID)
}

func labels(set map[string]string) string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s=%q", name, set[name])
	}
	return "{" + strings.Join(names, ",") + "}"
}
