package rules

import (
	"fmt"
	"strings"

	"github.com/routelens/routelens/dashboards/internal/envoystats"
	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/dashboards/internal/query"
	"github.com/routelens/routelens/plugin/metrics"
)

// Severities of the pipeline's alerts.
const (
	critical = "critical" // act now
	warning  = "warning"  // act in working hours
)

type alerts struct{ mixin.Config }

// alert fills in what all have. Its section of the runbook has its name.
func (a alerts) alert(name, severity, expr, wait, summary, description string) Rule {
	return Rule{
		Alert: name, Expr: expr, For: wait,
		Labels: map[string]string{"severity": severity},
		Annotations: map[string]string{
			"summary": summary, "description": description, "runbook_url": a.Runbook + "#" + strings.ToLower(name),
		},
	}
}

func (a alerts) objectives() []Rule {
	var rules []Rule
	for _, w := range a.Objectives.Windows {
		rules = append(rules, a.burns(w, "RoutelensAvailabilityBurn", AvailabilityBurn,
			"Route {{ $labels.route }} fails too often",
			"Of route {{ $labels.route }} ("+a.target()+`) {{ $labels.objective }} of the requests are to succeed. Over %s there were {{ $value | printf "%%.1f" }} times as many errors as that allows.`))
		rules = append(rules, a.burns(w, "RoutelensLatencyBurn", LatencyBurn,
			"Route {{ $labels.route }} is slow too often",
			"Of route {{ $labels.route }} ("+a.target()+`) {{ $labels.objective }} of the requests are to be fast. Over %s there were {{ $value | printf "%%.1f" }} times as many slow ones as that allows.`))
	}
	return rules
}

// target is whose route it is, by as many labels as there are.
func (a alerts) target() string {
	return fmt.Sprintf("{{ $labels.job }}{{ with $labels.%s }}, {{ . }}{{ end }}{{ with $labels.%s }}, {{ . }}{{ end }}", a.Labels.Namespace, a.Labels.Workload)
}

// burns fires while the budget burns too fast over both windows: over the long one that it matters, over the short one that it still does.
func (a alerts) burns(w mixin.Window, name string, burn func(string) string, summary, description string) Rule {
	expr := fmt.Sprintf("%s > %v\nand %s > %v", burn(w.Long), w.Burn, burn(w.Short), w.Burn)
	if a.Objectives.MinRate > 0 {
		expr += fmt.Sprintf("\nand ignoring (objective) avg_over_time(%s[%s]) > %v", NamesOf(a.Config).Requests, w.Long, a.Objectives.MinRate)
	}
	r := a.alert(name, w.Severity, expr, w.For, summary, fmt.Sprintf(description, w.Long))
	r.Labels["window"] = w.Long
	return r
}

// Names of the pipeline's alerts.
const (
	sinkFailing      = "RoutelensSinkFailing"
	recordsDropped   = "RoutelensRecordsDropped"
	backlogFilling   = "RoutelensBacklogFilling"
	collectorMissing = "RoutelensCollectorMissing"
	vmReloads        = "RoutelensVMReloads"
	seriesSpent      = "RoutelensSeriesBudgetSpent"
)

// pipeline alerts name the cause: where the sink fails, or a VM crashes, what follows from that has no alert of its own.
func (a alerts) pipeline() []Rule {
	p := a.Pipeline
	dropped := fmt.Sprintf("%s / ignoring (%s) group_left () %s > %v\nunless ignoring (%s) (%s)\nunless on (job, instance) (%s)",
		a.each(metrics.Dropped), metrics.LabelReason, a.each(metrics.Emitted), p.Dropped, metrics.LabelReason, a.sinkFails(), a.reloads())
	backlog := fmt.Sprintf("min_over_time(%s[%s]) / %s > %v\nunless (%s)",
		a.scope().Select(metrics.WaitingBytes), a.Window, a.scope().Select(metrics.LimitBytes), p.Backlog, a.sinkFails())
	series := fmt.Sprintf("count without (%s) (%s) / %s > %v\nor %s > 0",
		strings.Join(metrics.ExchangeLabels, ", "), a.scope().Select(metrics.Requests), a.scope().Select(metrics.SeriesLimit), p.Series, a.each(metrics.SeriesOverflow))
	return []Rule{
		a.alert(sinkFailing, critical, a.sinkFails(), p.For,
			"The log store takes no records from {{ $labels.instance }}",
			`Requests to the log store fail ({{ $value | printf "%.2f" }} a second), and nothing is delivered or records are lost for it.`),
		a.alert(recordsDropped, warning, dropped, p.For,
			"{{ $labels.instance }} loses records: {{ $labels.reason }}",
			"{{ $value | humanizePercentage }} of the records are dropped, for the reason {{ $labels.reason }}."),
		a.alert(backlogFilling, warning, backlog, p.For,
			"Records wait on {{ $labels.instance }}",
			"For "+a.Window+" the buffer for the log store has never been less than {{ $value | humanizePercentage }} full. When it is full, records are dropped."),
		a.alert(collectorMissing, critical, a.noCollector(), p.For,
			"Nobody ships the records of {{ $labels.instance }}",
			`Records are put on the queue ({{ $value | printf "%.1f" }} a second), and nothing takes them off: none is delivered, dropped or tried again.`),
		a.alert(vmReloads, warning, a.reloads(), p.For,
			"The plugin crashes on {{ $labels.instance }}",
			"VMs of the plugin that crashed in "+a.Window+`: {{ $value | printf "%.0f" }}. Requests fail meanwhile, unless it fails open.`),
		a.alert(seriesSpent, warning, series, p.For,
			"New routes of {{ $labels.instance }} are not told apart",
			"The plugin's label sets are used up, or nearly so (metrics.max_series). What is beyond them counts as \"other\"."),
	}
}

func (a alerts) scope() query.Scope {
	return query.Scope{Config: a.Config, Matchers: []string{a.Selector}, Window: a.Window}
}

func (a alerts) each(metric string) string { return a.scope().Each(metric) }

func (a alerts) lost(matchers ...string) string {
	return fmt.Sprintf("sum without (%s) (%s)", metrics.LabelReason, a.scope().With(matchers...).Each(metrics.Dropped))
}

// sinkFails holds while requests to the sink fail, and either none gets through or records are lost for it.
func (a alerts) sinkFails() string {
	lost := a.lost(fmt.Sprintf(`%s=~"%s|%s"`, metrics.LabelReason, metrics.BufferFull, metrics.RetriesExhausted))
	return fmt.Sprintf("%s > 0 and (%s == 0 or %s > 0)", a.each(metrics.Retries), a.each(metrics.Delivered), lost)
}

// noCollector holds while records are put on the queue, and nothing becomes of any.
func (a alerts) noCollector() string {
	nothing := []string{a.each(metrics.Delivered), a.each(metrics.Unconfirmed), a.each(metrics.Retries), a.lost()}
	return a.each(metrics.Emitted) + " > 0\nand " + strings.Join(nothing, " == 0\nand ") + " == 0"
}

// reloads is how often a VM of the plugin crashed, where it did.
func (a alerts) reloads() string {
	success, failure, _ := envoystats.Reloads(a.Plugin)
	increase := func(name string) string { return fmt.Sprintf("increase(%s[%s])", a.scope().Select(name), a.Window) }
	return increase(success) + " + " + increase(failure) + " > 0"
}
