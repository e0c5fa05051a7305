// Package rules makes Prometheus's recording rules and alerts.
package rules

import (
	"bytes"

	"go.yaml.in/yaml/v3"

	"github.com/routelens/routelens/dashboards/internal/mixin"
)

// file is a file of rules, as Prometheus reads it. Its own type for it (model/rulefmt) writes zero values and has no order of keys.
type file struct {
	Groups []Group `yaml:"groups"`
}

// Group is evaluated together, in order.
type Group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval,omitempty"`
	Rules    []Rule `yaml:"rules"`
}

// Rule records a series or raises an alert.
type Rule struct {
	Record        string            `yaml:"record,omitempty"`
	Alert         string            `yaml:"alert,omitempty"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

// Recording is the file of the recording rules.
func Recording(c mixin.Config) ([]byte, error) { return marshal(recorded(c)) }

// Alerts is the file of the alerts.
func Alerts(c mixin.Config) ([]byte, error) { return marshal(alerting(c)) }

// Resource is both in one, as the Prometheus Operator reads them.
func Resource(c mixin.Config) ([]byte, error) {
	r := resource{APIVersion: "monitoring.coreos.com/v1", Kind: "PrometheusRule"}
	r.Metadata.Name = "routelens"
	r.Spec.Groups = append(recorded(c).Groups, alerting(c).Groups...)
	return marshal(r)
}

type resource struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       file
}

// recorded are the recording rules. They are one group: its rules are evaluated one after the other, for the same time. In two
// groups what is bad and what there is in all would be counted over times that differ.
func recorded(c mixin.Config) file {
	r := recording{c}
	return file{[]Group{{Name: "routelens", Rules: append(r.routes(), r.objectives()...)}}}
}

func alerting(c mixin.Config) file {
	a := alerts{c}
	return file{[]Group{
		{Name: "routelens-objectives-alerts", Rules: a.objectives()},
		{Name: "routelens-pipeline-alerts", Rules: a.pipeline()},
	}}
}

func marshal(f any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Made from mixin.yaml by `make dashboards-generate`.\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := e.Encode(f)
	return b.Bytes(), err
}
