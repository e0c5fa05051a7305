package boards

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/routelens/routelens/dashboards/internal/envoystats"
	"github.com/routelens/routelens/dashboards/internal/grafana"
	"github.com/routelens/routelens/dashboards/internal/query"
	"github.com/routelens/routelens/dashboards/internal/rules"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/sampling"
)

const byInstance = "{{instance}}"

// pipeline is what becomes of the records, and what the plugin costs.
func (m maker) pipeline() *grafana.Board {
	b := grafana.NewBoard(pipelineUID, "Routelens / Pipeline", "What becomes of the records, and what the plugin costs.")
	b.Variables(m.targets()...)
	b.Variables(m.instances())
	b.Row("Now")
	m.state(b)
	b.Row("Records")
	m.fates(b)
	b.Row("Log store")
	m.sink(b)
	b.Row("Sampling and series")
	m.choice(b)
	b.Row("Wasm")
	m.vms(b)
	b.Row("What it costs")
	m.costs(b)
	return b
}

func (m maker) instances() dashboard.VariableModel {
	return grafana.Any("instance", "Instance", "instance", query.Scope{Matchers: m.target()}.Select(metrics.Emitted))
}

// keptShare is the share of the exchanges of which a record was made.
func keptShare(s query.Scope) string {
	kept := s.With(fmt.Sprintf("%s!~%q", metrics.LabelDecision, strings.Join(notKept(), "|")))
	return kept.Rate(metrics.Decisions) + " / (" + s.Rate(metrics.Decisions) + " > 0)"
}

// notKept are the decisions for no record.
func notKept() (names []string) {
	for i, name := range sampling.Names() {
		if !sampling.Decision(i).Kept() {
			names = append(names, name)
		}
	}
	return names
}

// seriesUsed is the share of the label sets that are used, where it is largest.
func seriesUsed(s query.Scope) string {
	return fmt.Sprintf("max(count without (%s) (%s) / %s)", strings.Join(metrics.ExchangeLabels, ", "), s.Select(metrics.Requests), s.Select(metrics.SeriesLimit))
}

func (m maker) state(b *grafana.Board) {
	s := m.proxies()
	ended := fmt.Sprintf("(%s + %s + %s)", s.Rate(metrics.Delivered), s.Rate(metrics.Dropped), s.Rate(metrics.Unconfirmed))
	for _, p := range []grafana.Panel{
		{Title: "Emitted", Description: "Records a second that are put on the queue.", Unit: countPerSecond, Queries: ask(s.Rate(metrics.Emitted), "emitted")},
		{Title: "Arrived", Description: "The share of those records delivered of which it is known what became.", Unit: share,
			Queries: ask(s.Rate(metrics.Delivered)+" / ("+ended+" > 0)", "delivered"), Thresholds: grafana.Falling(0.9, 0.99), NoData: "no records"},
		{Title: "Kept", Description: "The share of the exchanges of which a record is made: the sampling in force.", Unit: share,
			Queries: ask(keptShare(s), "sampled"), NoData: "no traffic"},
		{Title: "Buffer", Description: "How full the fullest buffer for the log store is (sink.buffer.max_bytes).", Unit: share, Thresholds: grafana.Rising(m.Pipeline.Backlog/2, m.Pipeline.Backlog),
			Queries: ask("max("+s.Select(metrics.WaitingBytes)+" / ("+s.Select(metrics.LimitBytes)+" > 0))", "buffer"), NoData: "no sink"},
		{Title: "Series", Description: "How much of metrics.max_series is used where most is. Beyond it routes are no longer told apart.", Unit: share,
			Queries: ask(seriesUsed(s), "series"), Thresholds: grafana.Rising(0.8*m.Pipeline.Series, m.Pipeline.Series)},
		{Title: "VMs", Description: "Wasm VMs that run, of all plugins.", Unit: times, Queries: ask("sum("+s.Select(envoystats.VMsActive)+")", "active")},
	} {
		b.Add(4, 4, grafana.Number(p))
	}
}

const limitOfEach = "limit of each"

var limit = []grafana.Look{{Series: "^" + limitOfEach + "$", Color: grafana.Red, Dashed: true}}

func (m maker) fates(b *grafana.Board) {
	s := m.proxies()
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Records", Description: "Records a second: those emitted end delivered, dropped or unconfirmed.", Unit: countPerSecond,
		Queries: []grafana.Query{
			{Expr: s.Rate(metrics.Emitted), Legend: "emitted"}, {Expr: s.Rate(metrics.Delivered), Legend: "delivered"},
			{Expr: s.Rate(metrics.Dropped), Legend: "dropped"}, {Expr: s.Rate(metrics.Unconfirmed), Legend: "unconfirmed"},
		},
		Looks: []grafana.Look{
			{Series: "^emitted$", Color: grafana.Blue}, {Series: "^delivered$", Color: grafana.Green},
			{Series: "^dropped$", Color: grafana.Red}, {Series: "^unconfirmed$", Color: "orange"},
		}}))
	b.Add(12, 8, grafana.Stacked(grafana.Panel{
		Title: "Dropped, by reason", Description: "Records a second that were given up; docs/operations.md says what to do for each reason.", Unit: countPerSecond,
		Queries: ask(s.Rate(metrics.Dropped, metrics.LabelReason), "{{"+metrics.LabelReason+"}}")}))
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Bytes waiting", Description: "What the collectors hold, waiting and under way, and the most that any of them may hold.", Unit: bytes,
		Queries: []grafana.Query{
			{Expr: perInstance(s.Select(metrics.WaitingBytes)), Legend: byInstance},
			{Expr: "max(" + s.Select(metrics.LimitBytes) + ")", Legend: limitOfEach},
		},
		Looks: limit}))
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Records waiting", Description: "What the collectors hold, waiting and under way.", Unit: number,
		Queries: ask(perInstance(s.Select(metrics.WaitingRecords)), byInstance)}))
}

func (m maker) sink(b *grafana.Board) {
	s := m.proxies()
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Requests to the log store", Description: "Requests a second that were answered, and those that failed and are repeated.", Unit: perSecond,
		Queries: []grafana.Query{{Expr: s.Count(metrics.ExportDuration), Legend: "answered"}, {Expr: s.Rate(metrics.Retries), Legend: "repeated"}}}))
	var quantiles []grafana.Query
	for _, q := range rules.Quantiles {
		quantiles = append(quantiles, grafana.Query{Expr: s.Quantile(q, metrics.ExportDuration), Legend: percentile(q)})
	}
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Flush time", Description: "From a request to the log store to its answer.", Unit: milliseconds, Queries: quantiles}))
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Collector changes", Description: "How often another thread took over from the one that ships. It does at the start, and where a configuration or a VM goes.", Unit: number,
		Queries: ask(perInstance(s.Increase(metrics.CollectorChanges)), byInstance)}))
}

func (m maker) choice(b *grafana.Board) {
	s := m.proxies()
	b.Add(12, 8, grafana.Shares(grafana.Panel{
		Title: "Sampling decisions", Description: "Why exchanges were recorded (" + strings.Join(sampling.Names(), ", ") + "). There is no record of " + strings.Join(notKept(), " and ") + ".", Unit: perSecond,
		Queries: ask(s.Rate(metrics.Decisions, metrics.LabelDecision), "{{"+metrics.LabelDecision+"}}")}))
	b.Add(12, 8, grafana.Stacked(grafana.Panel{
		Title: "Bodies left out", Description: "Bodies a second that were chosen but are not in their records, by reason.", Unit: countPerSecond,
		Queries: ask(s.Rate(metrics.BodiesOmitted, metrics.LabelReason), "{{"+metrics.LabelReason+"}}")}))
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Label sets", Description: "Label sets of exchanges that are used, and the most there may be on any instance (metrics.max_series); those beyond them count as other.", Unit: number,
		Queries: []grafana.Query{
			{Expr: "count by (instance) (" + s.Select(metrics.Requests) + ")", Legend: byInstance},
			{Expr: "max(" + s.Select(metrics.SeriesLimit) + ")", Legend: limitOfEach},
		},
		Looks: limit}))
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Counted as other", Description: "Exchanges a second that are not told apart, because the label sets are used up.", Unit: perSecond,
		Queries: ask(s.Rate(metrics.SeriesOverflow, "instance"), byInstance)}))
}

// perInstance adds up what the threads and contexts of one Envoy show.
func perInstance(expr string) string { return "sum by (instance) (" + expr + ")" }

// orZero is for stats that Envoy has only where the plugin is set up in a certain way.
func orZero(expr string) string { return "(" + expr + ") or vector(0)" }

func (m maker) vms(b *grafana.Board) {
	s := m.proxies()
	success, failure, backoff := envoystats.Reloads(m.Plugin)
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Wasm VMs", Description: "VMs of all plugins that run; each thread has one for each plugin, and each configuration is tried in one more.", Unit: number,
		Queries: []grafana.Query{
			{Expr: "sum(" + s.Select(envoystats.VMsActive) + ")", Legend: "active"},
			{Expr: "sum(" + s.Increase(envoystats.VMsCreated) + ")", Legend: "created"},
		}}))
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "VM reloads", Description: "VMs of the plugin that crashed: started again, not to be started, and requests that came while the next start was waited with.", Unit: number,
		Queries: []grafana.Query{
			{Expr: orZero("sum(" + s.Increase(success) + ")"), Legend: "started again"},
			{Expr: orZero("sum(" + s.Increase(failure) + ")"), Legend: "failed"},
			{Expr: orZero("sum(" + s.Increase(backoff) + ")"), Legend: "waited with"},
		}}))
	b.Add(8, 8, grafana.Lines(grafana.Panel{
		Title: "Remote loads", Description: "Fetches of plugins' code that failed or did not, and those answered from Envoy's cache.", Unit: number,
		Queries: []grafana.Query{
			{Expr: orZero("sum(" + s.Increase(envoystats.RemoteLoadFailures) + ")"), Legend: "failed"},
			{Expr: orZero("sum(" + s.Increase(envoystats.RemoteLoadSuccesses) + ")"), Legend: "fetched"},
			{Expr: orZero("sum(" + s.Increase(envoystats.RemoteLoadHits) + ")"), Legend: "cached"},
		}}))
}

func (m maker) costs(b *grafana.Board) {
	s := m.proxies()
	all := s.Over("$__range")
	sent := s.With(fmt.Sprintf("%s=%q", envoystats.Cluster, m.Sink)).Rate(envoystats.UpstreamSentBytes)
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Envoy's memory", Description: "What Envoy has allocated, its heap, and the physical memory that it takes. The VMs' memory is in the last alone.", Unit: bytes,
		Queries: []grafana.Query{
			{Expr: "sum(" + s.Select(envoystats.MemoryAllocated) + ")", Legend: "allocated"},
			{Expr: "sum(" + s.Select(envoystats.MemoryHeap) + ")", Legend: "heap"},
			{Expr: "sum(" + s.Select(envoystats.MemoryPhysical) + ")", Legend: "physical"},
		}}))
	b.Add(12, 8, grafana.Lines(grafana.Panel{
		Title: "Sent to the log store", Description: "Bytes a second, as they are on the wire.", Unit: bytesPerSecond, Queries: ask(orZero(sent), "sent")}))
	for _, p := range []grafana.Panel{
		{Title: "Bytes a record", Description: "What a record takes on the wire.", Unit: bytes, NoData: "no records",
			Queries: ask(sent+" / ("+s.Rate(metrics.Delivered)+" > 0)", "a record")},
		{Title: "Series in Prometheus", Description: "Series of the plugin's stats. Labels (metrics.labels) and routes multiply them.", Unit: number,
			Queries: ask("count("+s.With(`__name__=~"routelens_.+"`).Select("")+")", "series")},
		{Title: "Held up", Description: "Times in the time shown that a thread of Envoy's did not come round in time (its watchdog).", Unit: times, Thresholds: grafana.Rising(1, 10),
			Queries: ask("round(sum("+all.Increase(envoystats.MainThreadMisses)+") + sum("+all.Increase(envoystats.WorkerMisses)+"))", "misses")},
	} {
		b.Add(8, 4, grafana.Number(p))
	}
}
