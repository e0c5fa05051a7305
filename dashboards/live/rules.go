package live

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/routelens/routelens/dashboards/internal/rules"
)

// RuleFile is a file of Prometheus' rules.
type RuleFile struct {
	Groups []rules.Group `yaml:"groups"`
}

// ReadRules reads a file of rules.
func ReadRules(file string) (RuleFile, error) {
	var f RuleFile
	page, err := os.ReadFile(file)
	if err != nil {
		return f, err
	}
	if err := yaml.Unmarshal(page, &f); err != nil {
		return f, fmt.Errorf("%s: %w", file, err)
	}
	if len(f.Groups) == 0 {
		return f, fmt.Errorf("%s holds no groups of rules", file)
	}
	return f, nil
}

// Write puts the rules into a folder, under the name that they had.
func (f RuleFile) Write(file string) error {
	page, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, page, 0o644)
}

var promql = parser.NewParser(parser.Options{})

// Every gives each group another interval of evaluation. Nothing else changes.
func (f RuleFile) Every(interval time.Duration) RuleFile {
	same, _ := f.change(interval, func(r rules.Rule) (rules.Rule, error) { return r, nil })
	return same
}

// Faster shortens every window as well, so that what takes hours can be seen within minutes: expressions, thresholds and
// labels stay. How long an alert waits (for) is a fifth of what it would be as a window.
func (f RuleFile) Faster(interval time.Duration, windows Shrink) (RuleFile, error) {
	return f.change(interval, windows.rule)
}

func (f RuleFile) change(interval time.Duration, to func(rules.Rule) (rules.Rule, error)) (RuleFile, error) {
	var out RuleFile
	for _, group := range f.Groups {
		group.Interval = promDuration(interval)
		changed := make([]rules.Rule, len(group.Rules))
		for i, rule := range group.Rules {
			var err error
			if changed[i], err = to(rule); err != nil {
				return out, fmt.Errorf("%s%s: %w", rule.Record, rule.Alert, err)
			}
		}
		group.Rules = changed
		out.Groups = append(out.Groups, group)
	}
	return out, nil
}

// Shrink says what becomes of windows: of five minutes, and of three days. Those between keep their order.
type Shrink struct{ Shortest, Longest time.Duration }

// Of is the window that stands for one, in whole seconds: Shortest * (window / 5m)^p, where p makes Longest of three days.
func (s Shrink) Of(window time.Duration) time.Duration {
	const shortest, longest = 5 * time.Minute, 72 * time.Hour
	if window <= shortest {
		return s.Shortest
	}
	power := math.Log(float64(s.Longest)/float64(s.Shortest)) / math.Log(float64(longest)/float64(shortest))
	return time.Duration(float64(s.Shortest) * math.Pow(float64(window)/float64(shortest), power)).Round(time.Second)
}

func (s Shrink) rule(r rules.Rule) (rules.Rule, error) {
	expr, err := promql.ParseExpr(r.Expr)
	if err != nil {
		return r, err
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.MatrixSelector:
			n.Range = s.Of(n.Range)
		case *parser.SubqueryExpr:
			n.Range, n.Step = s.Of(n.Range), 0 // a point at each evaluation
		}
		return nil
	})
	r.Expr = expr.String()
	for _, text := range []*string{&r.For, &r.KeepFiringFor} {
		if *text == "" {
			continue
		}
		d, err := parseDuration(*text)
		if err != nil {
			return r, err
		}
		*text = promDuration(max(s.Of(d)/5, time.Second).Round(time.Second))
	}
	return r, nil
}

// Rules looks at what Prometheus made of rules: that each is evaluated without an error, that what is recorded is there,
// and that all that an alert compares is there. Whether an alert fires is no matter here.
func (c Checker) Rules(ctx context.Context, files ...RuleFile) (r Report) {
	loaded, err := c.Prometheus.Rules(ctx)
	if err != nil {
		r.find("rules", "", "%v", err)
		return r
	}
	for _, rule := range loaded {
		if rule.Health != "ok" {
			r.find("rule "+rule.Name, rule.Query, "its health is %s: %s", rule.Health, rule.LastError)
		}
	}
	n := 0
	for _, file := range files {
		for _, group := range file.Groups {
			n += len(group.Rules)
			for _, rule := range group.Rules {
				c.rule(ctx, &r, rule)
			}
		}
	}
	if n != len(loaded) {
		r.find("rules", "", "Prometheus has %d rules, and the files hold %d", len(loaded), n)
	}
	return r
}

func (c Checker) rule(ctx context.Context, r *Report, rule rules.Rule) {
	if rule.Record != "" {
		c.has(ctx, r, "recording rule "+rule.Record, rule.Record+matchers(rule.Labels))
		return
	}
	where := "alert " + rule.Alert
	expr, err := promql.ParseExpr(rule.Expr)
	if err != nil {
		r.find(where, rule.Expr, "%v", err)
		return
	}
	for _, part := range ingredients(expr) {
		c.has(ctx, r, where, part)
	}
}

func matchers(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	all := make([]string, 0, len(labels))
	for name, value := range labels {
		all = append(all, fmt.Sprintf("%s=%q", name, value))
	}
	return "{" + strings.Join(all, ",") + "}"
}

func (c Checker) has(ctx context.Context, r *Report, where, query string) {
	r.Queries++
	all, err := c.Prometheus.Query(ctx, query, time.Now())
	r.judge(where, query, all, err)
}

// ingredients are the parts of an alert's expression that have to give something whether it fires or not: both sides of each
// comparison, and of each operator that joins such. What is asked to be absent is only looked for.
func ingredients(expr parser.Expr) []string {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return ingredients(e.Expr)
	case *parser.BinaryExpr:
		if e.Op.IsComparisonOperator() || e.Op.IsSetOperator() {
			return append(ingredients(e.LHS), ingredients(e.RHS)...)
		}
	case *parser.AggregateExpr:
		if compares(e.Expr) {
			return ingredients(e.Expr)
		}
	case *parser.Call:
		if strings.HasPrefix(e.Func.Name, "absent") {
			return ingredients(selector(e.Args[0]))
		}
	}
	if !selects(expr) {
		return nil
	}
	return []string{expr.String()}
}

// compares tells whether an expression leaves out series by their values.
func compares(expr parser.Expr) (does bool) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if b, ok := n.(*parser.BinaryExpr); ok && b.Op.IsComparisonOperator() && !b.ReturnBool {
			does = true
		}
		return nil
	})
	return does
}

// metricsIn are the names in a query, each once; none of one that does not parse.
func metricsIn(query string) (names []string) {
	expr, err := promql.ParseExpr(query)
	if err != nil {
		return nil
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok && s.Name != "" && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
		return nil
	})
	return names
}

// selects tells whether an expression asks for any series, and is not made of numbers alone.
func selects(expr parser.Expr) (does bool) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if _, ok := n.(*parser.VectorSelector); ok {
			does = true
		}
		return nil
	})
	return does
}

// selector takes the range from a range of a metric.
func selector(expr parser.Expr) parser.Expr {
	if m, ok := expr.(*parser.MatrixSelector); ok {
		return m.VectorSelector
	}
	return expr
}
