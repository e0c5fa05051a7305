package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Prometheus is a running Prometheus that scrapes one Envoy.
type Prometheus struct {
	*Process
	URL string
}

// StartPrometheus returns once it serves. The address is host:port.
func StartPrometheus(ctx context.Context, binary, dir, address string, envoy *Envoy) (*Prometheus, error) {
	file := filepath.Join(dir, "prometheus.yaml")
	scrape := fmt.Sprintf(`scrape_configs:
- job_name: envoy
  scrape_interval: 2s
  metrics_path: /stats/prometheus
  static_configs: [{targets: [%q]}]
`, strings.TrimPrefix(envoy.Admin, "http://"))
	if err := os.WriteFile(file, []byte(scrape), 0o600); err != nil {
		return nil, err
	}
	process, err := start("prometheus", binary, dir, "--config.file", file, "--storage.tsdb.path", dir+"/prometheus", "--web.listen-address", address)
	if err != nil {
		return nil, err
	}
	p := &Prometheus{Process: process, URL: "http://" + address}
	if err := p.serves(ctx, 20*time.Second, answers(p.URL+"/-/ready")); err != nil {
		return nil, err
	}
	return p, nil
}
