package live

import (
	"encoding/json"
	"fmt"
	"os"
)

// Dashboard is as much of Grafana's JSON model as says what is asked of the data sources.
type Dashboard struct {
	UID        string
	Title      string
	Panels     []Panel
	Templating struct{ List []Variable }
}

// Panel is a panel, or a row that holds the panels of a collapsed one.
type Panel struct {
	ID            int
	Title, Type   string
	Datasource    *Datasource
	Targets       []Target
	Panels        []Panel
	Interval      string // the least step
	MaxDataPoints int
}

// Target is one query of a panel.
type Target struct {
	RefID        string
	Datasource   *Datasource
	Expr         string
	LegendFormat string
	Interval     string
	QueryType    string // of a log store
	Instant      bool
	Range        bool
	Hide         bool
}

// Datasource names a data source by its uid, which may be a variable such as ${datasource}.
type Datasource struct{ Type, UID string }

// Variable is a template variable.
type Variable struct {
	Name       string
	Type       string // query, datasource, custom, interval, constant, textbox
	Query      Query
	Datasource *Datasource
	Regex      string
	IncludeAll bool
	AllValue   string
	Multi      bool
	Options    []struct{ Value Values }
	Current    struct{ Value Values }
}

// Query is a variable's query: text, or an object that holds it.
type Query string

// UnmarshalJSON takes both forms.
func (q *Query) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*q = Query(text)
		return nil
	}
	var object struct{ Query string }
	err := json.Unmarshal(b, &object)
	*q = Query(object.Query)
	return err
}

// Values are a variable's: one text, or a list of them.
type Values []string

// UnmarshalJSON takes both forms.
func (v *Values) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*v = Values{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(b, &many)
	*v = many
	return err
}

// ReadDashboard reads a dashboard's file.
func ReadDashboard(file string) (Dashboard, error) {
	var d Dashboard
	page, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(page, &d); err != nil {
		return d, fmt.Errorf("%s is no dashboard: %w", file, err)
	}
	if d.UID == "" || len(d.All()) == 0 {
		return d, fmt.Errorf("%s is no dashboard: it has uid %q and %d panels", file, d.UID, len(d.All()))
	}
	return d, nil
}

// All are the panels that ask for something, those of collapsed rows too.
func (d Dashboard) All() []Panel { return asking(d.Panels) }

func asking(panels []Panel) (all []Panel) {
	for _, p := range panels {
		if len(p.Targets) > 0 {
			all = append(all, p)
		}
		all = append(all, asking(p.Panels)...)
	}
	return all
}
