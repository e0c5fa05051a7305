package boards

import (
	"fmt"
	"strings"

	"github.com/routelens/routelens/dashboards/internal/grafana"
	"github.com/routelens/routelens/dashboards/internal/mixin"
)

// The fields of records that queries use, as ndjson has them.
const (
	recordRoute    = "http.route"
	recordCode     = "http.response.status_code"
	recordFlags    = "envoy.response_flags"
	recordAttempts = "envoy.upstream_attempts"
	recordWeight   = "sampling.weight"
)

// records are those of the route, codes and words chosen.
func (m maker) records() grafana.Query {
	return grafana.Query{Logs: m.Logs.Store, Expr: m.filter()}
}

// weighed is how many exchanges there were a second, by a field: each record stands for as many as its weight says. What does not have the
// field is none.
func (m maker) weighed(field string) grafana.Query {
	q := grafana.Query{Logs: m.Logs.Store, Legend: "{{" + m.field(field) + "}}"}
	if m.Logs.Store == mixin.VictoriaLogs {
		q.Expr = fmt.Sprintf(`%s | format if (%s:"") "none" as %[2]s | stats by (%[2]s) rate_sum(%s) as exchanges`, m.filter(), field, recordWeight)
		return q
	}
	name := m.field(field)
	q.Expr = fmt.Sprintf("sum by (%[2]s) (rate(%[1]s | label_format %[2]s=`{{if .%[2]s}}{{.%[2]s}}{{else}}none{{end}}` | unwrap %[3]s [$__auto]))", m.filter(), name, m.field(recordWeight))
	return q
}

// filter is what is chosen of the records, each value in quotes that the store understands.
func (m maker) filter() string {
	if m.Logs.Store == mixin.VictoriaLogs {
		return m.Logs.Selector() + ` ` + recordRoute + `:=${route:doublequote} ` + recordCode + `:~"${code:regex}" ~${search:doublequote}`
	}
	return m.Logs.Selector() + ` |~ ${search:doublequote} | ` + m.field(recordRoute) + `=${route:doublequote} | ` + m.field(recordCode) + `=~"${code:regex}"`
}

// field is a field's name in the store: Loki's have no dots.
func (m maker) field(name string) string {
	if m.Logs.Store == mixin.VictoriaLogs {
		return name
	}
	return strings.ReplaceAll(name, ".", "_")
}
