package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Prometheus is a running Prometheus that scrapes one Envoy.
type Prometheus struct {
	*Process
	URL    string
	Scrape time.Duration // how often it scrapes
}

// PrometheusOptions say how to run a Prometheus. An empty Address is chosen.
type PrometheusOptions struct {
	Binary  string
	Dir     string // for its configuration, data and log
	Address string
	Envoy   *Envoy            // nil: it scrapes nothing
	Scrape  time.Duration     // how often it scrapes and evaluates rules; 0: 2 s
	Labels  map[string]string // of the target, as Kubernetes' service discovery would give it
	Rules   []string          // files of rules, or patterns of their names
	Native  bool              // native histograms instead of classic ones
	Args    []string          // further flags
}

// StartPrometheus returns once it serves.
func StartPrometheus(ctx context.Context, o PrometheusOptions) (_ *Prometheus, err error) {
	o.Scrape = cmp.Or(o.Scrape, 2*time.Second)
	if o.Address == "" {
		if o.Address, err = FreeAddress(0); err != nil {
			return nil, err
		}
	}
	file := filepath.Join(o.Dir, "prometheus.yaml")
	page, err := json.MarshalIndent(o.config(), "", "  ") // JSON is YAML
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, page, 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"--config.file", file, "--storage.tsdb.path", filepath.Join(o.Dir, "prometheus"),
		"--web.listen-address", o.Address,
	}
	if o.Native {
		args = append(args, "--enable-feature=native-histograms")
	}
	process, err := start("prometheus", o.Binary, o.Dir, append(args, o.Args...)...)
	if err != nil {
		return nil, err
	}
	p := &Prometheus{Process: process, URL: "http://" + o.Address, Scrape: o.Scrape}
	if err := p.Serves(ctx, 20*time.Second, Answers(p.URL+"/-/ready")); err != nil {
		return nil, err
	}
	return p, nil
}

func (o PrometheusOptions) config() map[string]any {
	scrape := o.Scrape.String()
	config := map[string]any{
		"global":     map[string]any{"scrape_interval": scrape, "scrape_timeout": scrape, "evaluation_interval": scrape},
		"rule_files": o.Rules,
	}
	if o.Envoy == nil {
		return config
	}
	target := map[string]any{"targets": []string{strings.TrimPrefix(o.Envoy.Admin, "http://")}}
	if len(o.Labels) > 0 {
		target["labels"] = o.Labels
	}
	job := map[string]any{"job_name": "envoy", "metrics_path": "/stats/prometheus", "static_configs": []any{target}}
	if o.Native {
		job["params"] = map[string]any{"histogram_buckets": []string{"prometheusnative"}}
	}
	config["scrape_configs"] = []any{job}
	return config
}
