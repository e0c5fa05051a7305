//go:build live

package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// stand is an Envoy with the plugin before some services, and a store for its records.
type stand struct {
	*lab.Envoy
	store  *lab.Store
	sink   *sink       // between Envoy and the store, where numbers are compared
	faults *lab.Faults // else
	misses misses
}

// pluginConfig tells soon of what fails.
func pluginConfig(sampled float64) string {
	return fmt.Sprintf(`{
  "sink": {
    "type": "ndjson", "cluster": "logs", "path": %q, "timeout": "5s",
    "retry": {"max": "1s"}, "batch": {"max_delay": "100ms"}
  },
  "resource": {"service.name": "shop"},
  "sampling": {"rate": %v, "max_per_second": 0}
}`, lab.NDJSONPath, sampled)
}

// open starts all but a Prometheus.
func (s *stand) open(t *testing.T, wasm string, sampled float64, routes []config.Route, clusters []config.Cluster) {
	t.Helper()
	var err error
	s.store, err = lab.StartVictoriaLogs(t.Context(), lab.StoreOptions{Binary: needed(t, "ROUTELENS_VICTORIA_LOGS"), Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.store.Stop()) })
	logs := s.before(t)
	s.Envoy, err = lab.StartEnvoy(t.Context(), lab.EnvoyOptions{Binary: needed(t, "ROUTELENS_ENVOY"), Dir: t.TempDir(), Config: config.Options{
		Plugin: &config.Plugin{File: wasm, VMID: "routelens", Config: pluginConfig(sampled)},
		Routes: routes, Clusters: clusters, Sink: &config.Cluster{Name: "logs", Address: logs}, StatsFlush: "1s",
	}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Stop()) })
	say("Envoy serves on %s, its stats are on %s", s.Entry, s.Admin)
}

// before is the address of what stands before the store: faults, or a sink that counts if the stand has one.
func (s *stand) before(t *testing.T) (address string) {
	t.Helper()
	var err error
	if s.sink != nil {
		s.sink, err = openSink(s.store.Address)
		require.NoError(t, err)
		t.Cleanup(func() { s.sink.server.Close() })
		return s.sink.address
	}
	s.faults, err = lab.StartFaults(s.store.Address)
	require.NoError(t, err)
	t.Cleanup(func() { s.faults.Stop() })
	return s.faults.Address
}

// scrape starts a Prometheus that scrapes the stand each second.
func (s *stand) scrape(t *testing.T, o lab.PrometheusOptions) Client {
	t.Helper()
	o.Binary, o.Scrape, o.Envoy = needed(t, "ROUTELENS_PROMETHEUS"), time.Second, s.Envoy
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	p, err := lab.StartPrometheus(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Stop()) })
	return Client{p.URL}
}

// play lets traffic run for as long as the test does, which fails if a request does.
func background(t *testing.T, traffic func(context.Context) error) {
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- traffic(ctx) }()
	t.Cleanup(func() {
		end()
		assert.NoError(t, <-ended)
	})
}

// needed fails the test, never skips it, where a variable is missing.
func needed(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	require.NotEmpty(t, value, "%s must be set; make dashboards-check does", variable)
	return value
}

// say tells of progress, at once.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05  ")+format+"\n", args...)
}

// wait is for so long, unless the test ends.
func wait(t *testing.T, d time.Duration, why string) {
	say("%v: %s", d, why)
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("ended while waiting")
	}
}

// shipped are the dashboards and rules as they are committed.
func shipped(t *testing.T) (dashboards []Dashboard, rules map[string]RuleFile) {
	t.Helper()
	return readAll(t, "..")
}

// generated are those that the generator makes with some flags, for VictoriaLogs, which is the store here.
func generated(t *testing.T, flags ...string) (dashboards []Dashboard, rules map[string]RuleFile) {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"run", "..", "-config", "../mixin.yaml", "-o", dir, "-logs", "victorialogs"}, flags...)
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, "go %v: %s", args, out)
	return readAll(t, dir)
}

func readAll(t *testing.T, dir string) (dashboards []Dashboard, rules map[string]RuleFile) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "grafana", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "dashboards in %s/grafana", dir)
	for _, file := range files {
		d, err := ReadDashboard(file)
		require.NoError(t, err)
		dashboards = append(dashboards, d)
	}
	return dashboards, readRules(t, filepath.Join(dir, "prometheus", "recording.yaml"), filepath.Join(dir, "prometheus", "alerts.yaml"))
}

func readRules(t *testing.T, files ...string) map[string]RuleFile {
	t.Helper()
	rules := map[string]RuleFile{}
	for _, file := range files {
		r, err := ReadRules(file)
		require.NoError(t, err)
		rules[filepath.Base(file)] = r
	}
	return rules
}

// writeRules puts rules where a Prometheus can read them.
func writeRules(t *testing.T, rules map[string]RuleFile) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for name, r := range rules {
		file := filepath.Join(dir, name)
		require.NoError(t, r.Write(file))
		files = append(files, file)
	}
	return files
}

// records are those in VictoriaLogs, asked for as its data source does.
type records struct{ *lab.Store }

func (r records) Count(ctx context.Context, kind, query string, start, end time.Time) (int, error) {
	ask := url.Values{"query": {query}, "limit": {"10"}, "start": {start.Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)}}
	if kind != "statsRange" {
		page, err := r.page(ctx, "query", ask)
		return bytes.Count(page, []byte("\n")), err
	}
	ask.Set("step", "5s")
	page, err := r.page(ctx, "stats_query_range", ask)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	err = json.Unmarshal(page, &answer)
	return len(answer.Data.Result), err
}

func (r records) page(ctx context.Context, page string, query url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/select/logsql/"+page+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("VictoriaLogs: %s: %.300s", response.Status, body)
	}
	return body, err
}
