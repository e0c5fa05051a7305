// Package metrics is every stat that Routelens gives: names, labels, help, the
// closed lists of values, and the budget that bounds what clients can create.
// Dashboards, docs and Envoy's tag configuration are made from these lists.
package metrics

import (
	"slices"

	"github.com/routelens/routelens/plugin/record"
)

// Kind is how a metric counts.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Metric describes one stat.
type Metric struct {
	Name   string
	Kind   Kind
	Labels []string // nil: none
	Help   string
}

// The labels that metrics.labels may choose from: those that any Envoy knows, and all.
var (
	EnvoyLabels    = []string{LabelRoute, LabelMethod, LabelCode, LabelCluster, LabelVirtualHost, LabelGRPC}
	ExchangeLabels = slices.Concat(EnvoyLabels, record.IstioLabels)
)

// The label names. Where Istio has a name for a thing, it is Istio's.
const (
	LabelRoute       = "route"
	LabelMethod      = "method"
	LabelCode        = "response_code"
	LabelCluster     = "cluster"
	LabelVirtualHost = "virtual_host"
	LabelGRPC        = "grpc_response_status"
	LabelReason      = "reason"
	LabelDecision    = "decision"
)

// Labels are the label names that an Envoy's stats_tags must extract. Istio's
// proxies must extract [record.IstioLabels] as well.
func Labels() []string { return slices.Concat(EnvoyLabels, []string{LabelReason, LabelDecision}) }

// The metrics of exchanges.
const (
	Requests     = "routelens_requests_total"
	Duration     = "routelens_request_duration_milliseconds"
	RequestSize  = "routelens_request_size_bytes"
	ResponseSize = "routelens_response_size_bytes"
)

// The metrics of the pipeline.
const (
	Decisions        = "routelens_sampling_decisions_total"
	BodiesOmitted    = "routelens_bodies_omitted_total"
	Emitted          = "routelens_records_emitted_total"
	Delivered        = "routelens_records_delivered_total"
	Dropped          = "routelens_records_dropped_total"
	Unconfirmed      = "routelens_records_unconfirmed_total"
	Retries          = "routelens_export_retries_total"
	ExportDuration   = "routelens_export_duration_milliseconds"
	WaitingBytes     = "routelens_collector_waiting_bytes"
	WaitingRecords   = "routelens_collector_waiting_records"
	LimitBytes       = "routelens_collector_limit_bytes"
	CollectorChanges = "routelens_collector_changes_total"
	SeriesLimit      = "routelens_series_limit"
	SeriesOverflow   = "routelens_series_overflow_total"
)

// Reason is why a record was dropped: a closed list.
type Reason uint8

// The reasons.
const (
	BufferFull       Reason = iota // the backlog was full
	TooLarge                       // larger than a whole batch may be
	Rejected                       // the sink refused it for good
	OutOfOrder                     // the sink refused it for good: it has taken later ones of its stream
	TooOld                         // the sink refused it for good: for its age
	RetriesExhausted               // the sink failed for longer than sink.retry.max_elapsed
	QueueError                     // the proxy did not take it onto the queue, or broke it
	SinkRemoved                    // its sink's configuration went before it was sent
	CollectorLost                  // the VM that held it went without handing it on
	reasons
)

var reasonNames = [reasons]string{"buffer_full", "too_large", "rejected", "out_of_order", "too_old", "retries_exhausted", "queue_error", "sink_removed", "collector_lost"}

func (r Reason) String() string { return reasonNames[r] }

// Reasons are all reasons, in order.
func Reasons() []string { return reasonNames[:] }

// All describes every metric.
func All() []Metric {
	return []Metric{
		{Requests, Counter, ExchangeLabels, "Exchanges, by the labels chosen in metrics.labels."},
		{Duration, Histogram, ExchangeLabels, "Time from the first byte received to the last byte sent, in milliseconds."},
		{RequestSize, Histogram, ExchangeLabels, "Size of the request body, in bytes."},
		{ResponseSize, Histogram, ExchangeLabels, "Size of the response body, in bytes."},
		{Decisions, Counter, []string{LabelDecision}, "Sampling decisions: rate, trace, error and slow were kept; skip and limit were not."},
		{BodiesOmitted, Counter, []string{LabelReason}, "Bodies that were chosen but are not in their records, by reason."},
		{Emitted, Counter, nil, "Records put on the queue: each ends delivered, dropped or unconfirmed."},
		{Delivered, Counter, nil, "Records that the sink accepted."},
		{Dropped, Counter, []string{LabelReason}, "Records given up, by reason."},
		{Unconfirmed, Counter, nil, "Records that were sent, but of which no answer tells what became: the VM went before it came, or it could not be read. They are not sent again."},
		{Retries, Counter, nil, "Requests to the sink that failed and are repeated."},
		{ExportDuration, Histogram, nil, "Time from a request to the sink to its answer, in milliseconds."},
		{WaitingBytes, Gauge, nil, "Bytes that the collector holds: waiting and under way."},
		{WaitingRecords, Gauge, nil, "Records that the collector holds: waiting and under way."},
		{LimitBytes, Gauge, nil, "Most bytes that the collector holds, sink.buffer.max_bytes: 0 without a sink."},
		{CollectorChanges, Counter, nil, "Times that a context became the collector."},
		{SeriesLimit, Gauge, nil, "Most label sets of exchanges: metrics.max_series."},
		{SeriesOverflow, Counter, nil, "Exchanges counted under the label value \"other\" because metrics.max_series was reached."},
	}
}
