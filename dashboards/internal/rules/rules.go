// Package rules makes Prometheus's recording rules and alerts.
package rules

import (
	"bytes"

	"go.yaml.in/yaml/v3"

	"github.com/routelens/routelens/dashboards/internal/mixin"
)

// file is a file of rules, as Prometheus reads it. Its own type for it (model/rulefmt) writes zero values and has no order of keys.
type file struct {
	Groups []group `yaml:"groups"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// Recording is the file of the recording rules. They are one group: its rules are evaluated one after the other, for the same time. In two
// groups what is bad and what there is in all would be counted over times that differ.
func Recording(c mixin.Config) ([]byte, error) {
	r := recording{c}
	return marshal(file{[]group{{"routelens", append(r.routes(), r.objectives()...)}}})
}

// Alerts is the file of the alerts.
func Alerts(c mixin.Config) ([]byte, error) {
	a := alerts{c}
	return marshal(file{[]group{{"routelens-objectives-alerts", a.objectives()}, {"routelens-pipeline-alerts", a.pipeline()}}})
}

func marshal(f file) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Made from mixin.yaml by `make dashboards-generate`.\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := e.Encode(f)
	return b.Bytes(), err
}
