package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// GrafanaOptions say how to run a Grafana that is provisioned with dashboards and the data sources they ask.
type GrafanaOptions struct {
	Binary     string // grafana, or grafana-server of before 9.4
	Dir        string // for its configuration, data and log
	Address    string // host:port
	Dashboards string // a folder of their JSON
	Prometheus *Prometheus
	Store      *Store
}

// Grafana is a running Grafana. Whoever reaches it, on loopback, may edit.
type Grafana struct {
	*Process
	URL string
}

// StartGrafana returns once it serves. Its data source for VictoriaLogs is a plugin, which Grafana fetches by itself where it can reach grafana.com.
func StartGrafana(ctx context.Context, o GrafanaOptions) (*Grafana, error) {
	home, err := grafanaHome(o.Binary, "/usr/share/grafana")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, "grafana")
	for name, content := range o.provisioning() {
		file := filepath.Join(dir, "provisioning", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(dir, "grafana.ini")
	if err := os.WriteFile(config, []byte(o.config(dir)), 0o600); err != nil {
		return nil, err
	}
	args := []string{"--homepath", home, "--config", config}
	if filepath.Base(o.Binary) == "grafana" {
		args = append([]string{"server"}, args...)
	}
	process, err := start("grafana", o.Binary, o.Dir, args...)
	if err != nil {
		return nil, err
	}
	g := &Grafana{Process: process, URL: "http://" + o.Address}
	if err := g.Serves(ctx, 2*time.Minute, Answers(g.URL+"/api/health")); err != nil {
		return nil, err
	}
	return g, nil
}

// grafanaHome finds what Grafana serves and its defaults: above its binary in an archive, under share or elsewhere in a package.
func grafanaHome(binary, elsewhere string) (string, error) {
	real, err := filepath.EvalSymlinks(binary)
	if err != nil {
		return "", err
	}
	bin := filepath.Dir(real)
	homes := []string{filepath.Dir(bin), filepath.Join(bin, "../share/grafana"), elsewhere}
	for _, home := range homes {
		if _, err := os.Stat(filepath.Join(home, "conf/defaults.ini")); err == nil {
			return home, nil
		}
	}
	return "", fmt.Errorf("%s: no conf/defaults.ini of Grafana in %s", binary, strings.Join(homes, ", "))
}

func (o GrafanaOptions) config(dir string) string {
	host, port, _ := strings.Cut(o.Address, ":")
	return fmt.Sprintf(`[paths]
data = %[1]s/data
logs = %[1]s/log
plugins = %[1]s/plugins
provisioning = %[1]s/provisioning
[server]
http_addr = %[2]s
http_port = %[3]s
[auth]
disable_login_form = true
[auth.anonymous]
enabled = true
org_role = Editor
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
[plugins]
preinstall = victoriametrics-logs-datasource
`, dir, host, port)
}

// provisioning is by file name. Data sources are chosen by type, so that no dashboard has to know the uids.
func (o GrafanaOptions) provisioning() map[string]string {
	return map[string]string{
		"datasources/routelens.yaml": fmt.Sprintf(`apiVersion: 1
datasources:
- {name: Prometheus, uid: prometheus, type: prometheus, access: proxy, url: %q, isDefault: true, jsonData: {timeInterval: %s, httpMethod: POST}}
- {name: VictoriaLogs, uid: victorialogs, type: victoriametrics-logs-datasource, access: proxy, url: %q}
`, o.Prometheus.URL, o.Prometheus.Scrape, o.Store.URL),
		"dashboards/routelens.yaml": fmt.Sprintf(`apiVersion: 1
providers:
- {name: Routelens, folder: Routelens, type: file, allowUiUpdates: true, options: {path: %q}}
`, o.Dashboards),
	}
}
