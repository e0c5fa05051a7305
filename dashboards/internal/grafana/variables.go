package grafana

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/routelens/routelens/dashboards/internal/mixin"
)

// logTypes are Grafana's names for the data sources of log stores.
var logTypes = map[string]string{mixin.Loki: "loki", mixin.VictoriaLogs: "victoriametrics-logs-datasource"}

func metricSource() *common.DataSourceRef {
	return &common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

func logSource(store string) *common.DataSourceRef {
	return &common.DataSourceRef{Type: new(logTypes[store]), Uid: new("${logs}")}
}

// MetricSource is the variable for Prometheus.
func MetricSource() dashboard.VariableModel { return source("datasource", "Metrics", "prometheus") }

// LogSource is the variable for the log store.
func LogSource(store string) dashboard.VariableModel { return source("logs", "Logs", logTypes[store]) }

func source(name, label, kind string) dashboard.VariableModel {
	return dashboard.VariableModel{
		Type: dashboard.VariableTypeDatasource, Name: name, Label: &label, Query: text(kind), Refresh: new(dashboard.VariableRefreshOnDashboardLoad),
		Multi: new(false), IncludeAll: new(false), Options: []dashboard.VariableOption{}, Regex: new(""),
	}
}

// Any is a variable for some or all values that a label has in a series. All matches series without the label too.
func Any(name, title, label, series string) dashboard.VariableModel {
	v := values(name, title, label, series)
	v.Multi, v.IncludeAll, v.AllValue = new(true), new(true), new(".*")
	v.Current = option("All", "$__all")
	return v
}

// One is a variable for one of the values that a label has in a series.
func One(name, title, label, series string) dashboard.VariableModel {
	v := values(name, title, label, series)
	v.Multi, v.IncludeAll = new(false), new(false)
	return v
}

func values(name, title, label, series string) dashboard.VariableModel {
	query := "label_values(" + series + ", " + label + ")"
	return dashboard.VariableModel{
		Type: dashboard.VariableTypeQuery, Name: name, Label: &title, Datasource: metricSource(),
		Query:   &dashboard.StringOrMap{Map: map[string]any{"query": query, "refId": "variable-" + name, "qryType": 1}},
		Refresh: new(dashboard.VariableRefreshOnTimeRangeChanged), Sort: new(dashboard.VariableSortNaturalAsc),
		Options: []dashboard.VariableOption{}, Regex: new(""),
	}
}

// Choice is a variable for one of a few words, the first unless chosen.
func Choice(name, title string, words ...string) dashboard.VariableModel {
	v := dashboard.VariableModel{
		Type: dashboard.VariableTypeCustom, Name: name, Label: &title, Query: text(strings.Join(words, ",")), Multi: new(false), IncludeAll: new(false),
		Current: option(words[0], words[0]),
	}
	for i, w := range words {
		o := *option(w, w)
		o.Selected = new(i == 0)
		v.Options = append(v.Options, o)
	}
	return v
}

// Text is a variable for a text.
func Text(name, title string) dashboard.VariableModel {
	return dashboard.VariableModel{Type: dashboard.VariableTypeTextbox, Name: name, Label: &title, Query: text(""), Current: option("", ""), Options: []dashboard.VariableOption{}}
}

func text(s string) *dashboard.StringOrMap { return &dashboard.StringOrMap{String: &s} }

func option(text, value string) *dashboard.VariableOption {
	return &dashboard.VariableOption{Selected: new(true), Text: dashboard.StringOrArrayOfString{String: &text}, Value: dashboard.StringOrArrayOfString{String: &value}}
}
