package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// pluginConfig records every exchange, so that each can be looked for.
const pluginConfig = `{
  "sink": {"type": "ndjson", "cluster": "logs", "path": "` + lab.NDJSONPath + `"},
  "resource": {"service.name": "shop"},
  "sampling": {"rate": 1, "max_per_second": 0},
  "headers": {"request": ["user-agent"], "response": ["content-type"]}
}`

// parts are all that runs.
type parts struct {
	dir        string
	shop       *lab.Shop
	store      *lab.Store
	envoy      *lab.Envoy
	prometheus *lab.Prometheus // nil: none
	pages      *pages          // nil: none
}

// start returns what it has started, with an error too.
func start(ctx context.Context, o options) (_ *parts, err error) {
	p := &parts{}
	if p.dir, err = os.MkdirTemp("", "routelens-demo-"); err != nil {
		return p, err
	}
	if p.shop, err = lab.OpenShop(); err != nil {
		return p, fmt.Errorf("opening the shop: %w", err)
	}
	if p.store, err = startStore(ctx, o, p.dir); err != nil {
		return p, err
	}
	if p.envoy, err = startEnvoy(ctx, o, p); err != nil {
		return p, err
	}
	if o.prometheus != "" {
		if p.prometheus, err = startPrometheus(ctx, o, p); err != nil {
			return p, err
		}
	}
	if o.dashboards != "" {
		if p.pages, err = openPages(ctx, o, p); err != nil {
			return p, err
		}
	}
	return p, nil
}

func startPrometheus(ctx context.Context, o options, p *parts) (*lab.Prometheus, error) {
	address, err := lab.FreeAddress(9090)
	if err != nil {
		return nil, err
	}
	var rules []string
	if o.dashboards != "" {
		pattern, err := filepath.Abs(filepath.Join(o.dashboards, "prometheus", "*.yaml"))
		if err != nil {
			return nil, err
		}
		rules = []string{pattern}
	}
	return lab.StartPrometheus(ctx, lab.PrometheusOptions{Binary: o.prometheus, Dir: p.dir, Address: address, Envoy: p.envoy, Rules: rules})
}

func startStore(ctx context.Context, o options, dir string) (*lab.Store, error) {
	address, err := lab.FreeAddress(9428)
	if err != nil {
		return nil, err
	}
	return lab.StartVictoriaLogs(ctx, lab.StoreOptions{Binary: o.store, Dir: dir, Address: address})
}

func startEnvoy(ctx context.Context, o options, p *parts) (*lab.Envoy, error) {
	plugin, err := filepath.Abs(o.plugin)
	if err != nil {
		return nil, err
	}
	admin, err := lab.FreeAddress(9901)
	if err != nil {
		return nil, err
	}
	entry, err := lab.FreeAddress(10000)
	if err != nil {
		return nil, err
	}
	return lab.StartEnvoy(ctx, lab.EnvoyOptions{Binary: o.envoy, Dir: p.dir, Config: config.Options{
		Title:      "The demo's Envoy",
		Admin:      admin,
		Listen:     entry,
		Plugin:     &config.Plugin{File: plugin, VMID: "routelens", Config: pluginConfig},
		Routes:     p.shop.Routes(),
		Clusters:   p.shop.Clusters(),
		Sink:       p.store.Cluster(),
		StatsFlush: "1s", // the table is drawn each second
	}})
}

// stop ends all that was started. The files go too, unless something went wrong.
func (p *parts) stop(well bool) error {
	var errs []error
	if p.pages != nil {
		errs = append(errs, p.pages.stop())
	}
	if p.prometheus != nil {
		errs = append(errs, p.prometheus.Stop())
	}
	if p.envoy != nil {
		errs = append(errs, p.envoy.Stop())
	}
	if p.store != nil {
		errs = append(errs, p.store.Stop())
	}
	if p.shop != nil {
		p.shop.Close() // it answers nobody any more
	}
	err := errors.Join(errs...)
	if !well || err != nil {
		return errors.Join(err, fmt.Errorf("configuration and logs of all parts are kept in %s", p.dir))
	}
	return os.RemoveAll(p.dir)
}

// failed tells which part has ended by itself.
func (p *parts) failed() error {
	errs := []error{p.envoy.Failed(), p.store.Failed()}
	if p.prometheus != nil {
		errs = append(errs, p.prometheus.Failed())
	}
	if p.pages != nil {
		errs = append(errs, p.pages.failed())
	}
	return errors.Join(errs...)
}

// addresses are where to look around.
func (p *parts) addresses() string {
	rows := [][]string{
		{"The shop, by way of Envoy", p.envoy.Entry + "/catalog"},
		{"Envoy's stats", p.envoy.Admin + "/stats/prometheus?filter=routelens"},
		{"The records, to search in", p.store.URL + "/select/vmui/"},
	}
	if p.prometheus != nil {
		query := url.Values{"g0.expr": {`sum by (route) (rate(routelens_requests_total[30s]))`}, "g0.tab": {"0"}, "g0.range_input": {"5m"}}
		rows = append(rows, []string{"Prometheus", p.prometheus.URL + "/graph?" + query.Encode()})
	}
	if p.pages != nil {
		rows = append(rows, []string{p.pages.what(), p.pages.url})
	}
	return strings.Join(columns(rows, leftAligned), "\n")
}
