package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/loki"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/routelens/routelens/dashboards/internal/mixin"
)

// Query is one of a panel's. Its legend names the series.
type Query struct {
	Expr, Legend string
	Logs         string // the log store that it is for; empty: it is for Prometheus

	instant, table, heatmap bool
}

// Now makes the query one for the end of the time shown alone.
func (q Query) Now() Query {
	q.instant = true
	return q
}

func (q Query) build(refID string) variants.Dataquery {
	switch q.Logs {
	case mixin.Loki:
		return loki.Dataquery{
			RefId: &refID, Expr: q.Expr, LegendFormat: legend(q.Legend), QueryType: new("range"), Datasource: logSource(q.Logs), MaxLines: q.lines(),
		}
	case mixin.VictoriaLogs:
		kind := "instant" // its word for a list of records
		if q.Legend != "" {
			kind = "statsRange"
		}
		return logsQL{RefID: refID, Expr: q.Expr, LegendFormat: q.Legend, QueryType: kind, Datasource: logSource(q.Logs), MaxLines: q.lines()}
	}
	format := prometheus.PromQueryFormatTimeSeries
	if q.table {
		format = prometheus.PromQueryFormatTable
	}
	if q.heatmap {
		format = prometheus.PromQueryFormatHeatmap
	}
	return prometheus.Dataquery{
		RefId: &refID, Expr: q.Expr, LegendFormat: legend(q.Legend), Instant: new(q.instant), Range: new(!q.instant), Format: &format,
		EditorMode: new(prometheus.QueryEditorModeCode), Datasource: metricSource(),
	}
}

// lines bounds a list of records; a query with a legend is of numbers.
func (q Query) lines() *int64 {
	if q.Legend != "" {
		return nil
	}
	return new(int64(200))
}

func legend(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// logsQL is a query for VictoriaLogs' data source, which Grafana's own types do not know.
type logsQL struct {
	RefID        string                `json:"refId"`
	Expr         string                `json:"expr"`
	LegendFormat string                `json:"legendFormat,omitempty"`
	QueryType    string                `json:"queryType"`
	MaxLines     *int64                `json:"maxLines,omitempty"`
	Datasource   *common.DataSourceRef `json:"datasource"`
}

func (logsQL) ImplementsDataqueryVariant()            {}
func (logsQL) DataqueryType() string                  { return logTypes[mixin.VictoriaLogs] }
func (logsQL) Validate() error                        { return nil }
func (q logsQL) Equals(other variants.Dataquery) bool { return q == other }
