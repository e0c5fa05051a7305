package live

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/dashboards/internal/rules"
)

// answers are a Prometheus' by the first word that the query holds.
type answers []struct{ word, answer string }

func (a answers) serve(t *testing.T) Client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query") + r.FormValue("match[]") + r.URL.Path
		for _, one := range a {
			if strings.Contains(query, one.word) {
				w.Write([]byte(one.answer))
				return
			}
		}
		t.Errorf("no answer to %s", query)
	}))
	t.Cleanup(server.Close)
	return Client{server.URL}
}

func vector(series ...string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}

func values(values ...string) string {
	page, _ := json.Marshal(map[string]any{"status": "success", "data": values})
	return string(page)
}

// panel is a dashboard of one panel, with a variable route.
func panel(expr, legend string) Dashboard {
	source := &Datasource{UID: "${datasource}"}
	d := Dashboard{UID: "d", Panels: []Panel{{ID: 1, Title: "p", Datasource: source, Targets: []Target{{RefID: "A", Expr: expr, LegendFormat: legend, Instant: true}}}}}
	d.Templating.List = []Variable{
		{Name: "datasource", Type: "datasource", Query: "prometheus"},
		{Name: "route", Type: "query", Query: "label_values(requests, route)", IncludeAll: true},
	}
	return d
}

func TestTheCheckFindsWhatIsWrong(t *testing.T) {
	prometheus := answers{
		{"count(misspelt)", vector()},
		{"up", vector(`{"metric":{"route":"a"},"value":[1,"1"]}`)},
		{"partly", vector(`{"metric":{"route":"a"},"value":[1,"1"]}`, `{"metric":{"route":"b"},"value":[1,"NaN"]}`)},
		{"infinite", vector(`{"metric":{},"value":[1,"+Inf"]}`)},
		{"histogram", vector(`{"metric":{},"histogram":[1,{"count":"1"}]}`)},
		{"only_all", vector(`{"metric":{},"value":[1,"1"]}`)},
		{"empty", vector()},
		{"wrong", `{"status":"error","error":"1:1: parse error"}`},
		{"requests", values("a", "b")},
	}.serve(t)
	for expr, want := range map[string][]string{
		`up`:             nil,
		`histogram`:      nil,
		`empty`:          {`d, panel 1 "p", query A: no series: empty`},
		`partly`:         {`d, panel 1 "p", query A: not a number: {route="b"} is [NaN]: partly`},
		`infinite`:       {`d, panel 1 "p", query A: not a number: {} is [+Inf]: infinite`},
		`wrong`:          {`d, panel 1 "p", query A: Prometheus: 1:1: parse error: wrong`},
		`up or misspelt`: {`d, panel 1 "p", query A: there is no metric misspelt: up or misspelt`},
		`up{x="$y"}`: {
			`d, panel 1 "p", query A: variable "y" is not defined: up{x="$y"}`,
		},
	} {
		found := Checker{Prometheus: prometheus, Range: time.Minute, Scrape: time.Second}.Dashboard(t.Context(), panel(expr, ""))
		var texts []string
		for _, f := range found.Findings {
			if !strings.Contains(f.Where, "(route=") {
				texts = append(texts, f.String())
			}
		}
		assert.Equal(t, want, texts)
	}
	t.Run("with one value of a variable alone", func(t *testing.T) {
		prometheus := answers{{"count(up)", vector(`{"metric":{},"value":[1,"1"]}`)}, {`"(a|b)"`, vector(`{"metric":{},"value":[1,"1"]}`)}, {`"a"`, vector(`{"metric":{},"value":[1,"1"]}`)}, {`"b"`, vector()}, {"requests", values("a", "b")}}.serve(t)
		found := Checker{Prometheus: prometheus, Range: time.Minute, Scrape: time.Second}.Dashboard(t.Context(), panel(`up{route=~"$route"}`, ""))
		require.Len(t, found.Findings, 1)
		assert.Equal(t, `d, panel 1 "p", query A (route=b): no series: up{route=~"b"}`, found.Findings[0].String())
		assert.Equal(t, 5, found.Queries)
	})
	t.Run("in a legend", func(t *testing.T) {
		found := Checker{Prometheus: prometheus, Range: time.Minute, Scrape: time.Second}.Dashboard(t.Context(), panel("only_all", "{{route}}"))
		require.Len(t, found.Findings, 3)
		assert.Equal(t, `d, panel 1 "p", query A: the legend "{{route}}" wants a label route, and there is a series {}: only_all`, found.Findings[0].String())
	})
	t.Run("of a variable", func(t *testing.T) {
		none := answers{{"requests", values()}, {"up", vector(`{"metric":{},"value":[1,"1"]}`)}}.serve(t)
		check := Checker{Prometheus: none, Range: time.Minute, Scrape: time.Second}
		found := check.Dashboard(t.Context(), panel("up", ""))
		require.Len(t, found.Findings, 1)
		assert.Equal(t, "d, variable route: it has no values: label_values(requests, route)", found.Findings[0].String())
		check.Absent = []string{"route"}
		assert.Empty(t, check.Dashboard(t.Context(), panel("up", "")).Findings)
		check.Prometheus = prometheus
		found = check.Dashboard(t.Context(), panel("up", ""))
		require.Len(t, found.Findings, 1)
		assert.Contains(t, found.Findings[0].What, "was to be absent")
	})
	t.Run("of a panel that is rare", func(t *testing.T) {
		one := vector(`{"metric":{},"value":[1,"1"]}`)
		check := Checker{Range: time.Minute, Scrape: time.Second, Rare: []string{"p"}}
		check.Prometheus = answers{{"count(up)", one}, {`"a"`, one}, {`up`, vector()}, {"requests", values("a", "b")}}.serve(t)
		assert.Empty(t, check.Dashboard(t.Context(), panel(`up{route=~"$route"}`, "")).Findings)
		check.Prometheus = answers{{`up`, vector()}, {"requests", values("a", "b")}}.serve(t)
		found := check.Dashboard(t.Context(), panel(`up{route=~"$route"}`, ""))
		require.Len(t, found.Findings, 1)
		assert.Equal(t, "no choice has anything", found.Findings[0].What)
		check.Prometheus = answers{{"up", `{"status":"error","error":"timeout"}`}, {"requests", values("a")}}.serve(t)
		assert.NotEmpty(t, check.Dashboard(t.Context(), panel("up", "")).Findings, "an error is never excused")
	})
	t.Run("of a data source", func(t *testing.T) {
		d := panel("up", "")
		d.Panels[0].Datasource.UID = "P1809F7CD0C75ACF3"
		found := Checker{Prometheus: prometheus, Range: time.Minute, Scrape: time.Second}.Dashboard(t.Context(), d)
		require.NotEmpty(t, found.Findings)
		assert.Contains(t, found.Findings[0].What, "is no variable of the dashboard")
	})
}

func TestTheCheckOfRulesFindsWhatIsWrong(t *testing.T) {
	healthy := func(health string) string {
		return `{"status":"success","data":{"groups":[{"rules":[{"name":"A","health":"` + health + `","lastError":"many-to-many","query":"q"}]}]}}`
	}
	one := func(r rules.Rule) RuleFile { return RuleFile{[]rules.Group{{Rules: []rules.Rule{r}}}} }
	cases := map[string]struct {
		rule   rules.Rule
		health string
		want   []string
	}{
		"nothing":             {rules.Rule{Alert: "A", Expr: "there > 5"}, "ok", nil},
		"an error":            {rules.Rule{Alert: "A", Expr: "there > 5"}, "err", []string{"rule A: its health is err: many-to-many: q"}},
		"what is never there": {rules.Rule{Alert: "A", Expr: "there > 5 and missing < 2"}, "ok", []string{"alert A: no series: missing"}},
		"an empty recording":  {rules.Rule{Record: "missing:rate", Expr: "x"}, "ok", []string{"recording rule missing:rate: no series: missing:rate"}},
		"what does not parse": {rules.Rule{Alert: "A", Expr: "there >"}, "ok", []string{"alert A: 1:8: parse error: unexpected end of input: there >"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			prometheus := answers{{"there", vector(`{"metric":{},"value":[1,"1"]}`)}, {"missing", vector()}, {"/rules", healthy(c.health)}}.serve(t)
			var texts []string
			for _, f := range (Checker{Prometheus: prometheus}).Rules(t.Context(), one(c.rule)).Findings {
				texts = append(texts, f.String())
			}
			assert.Equal(t, c.want, texts)
		})
	}
	t.Run("a rule that is not loaded", func(t *testing.T) {
		prometheus := answers{{"/rules", healthy("ok")}}.serve(t)
		found := Checker{Prometheus: prometheus}.Rules(t.Context())
		require.Len(t, found.Findings, 1)
		assert.Equal(t, "Prometheus has 1 rules, and the files hold 0", found.Findings[0].What)
	})
}
