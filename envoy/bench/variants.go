package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// variant is one Envoy to be measured.
type variant struct {
	name      string
	base      string // the variant to be compared with, besides none
	body      int    // bytes, of each request and each answer; 0: a GET with a small answer
	configure func(o *config.Options, dir string)
	artifact  string  // the .wasm, if any
	script    bool    // there is a Lua filter
	counts    bool    // the plugin counts its exchanges
	records   float64 // the share of exchanges that become records
}

const (
	noFilter = "no filter"
	// luaScript does the least of use: it reads two headers.
	luaScript = `function envoy_on_request(handle)
  local headers = handle:headers()
  local agent, trace = headers:get("user-agent"), headers:get("traceparent")
end`
)

// chooseVariants lists what to measure; all of one compiler's are side by side.
func chooseVariants(o options) ([]variant, error) {
	all := []variant{
		{name: noFilter, configure: func(*config.Options, string) {}},
		{name: "JSON access log", configure: func(c *config.Options, dir string) { c.JSONLog = accessLog(dir) }},
		{name: "Lua, two headers", script: true, configure: func(c *config.Options, _ string) { c.Lua = luaScript }},
	}
	plugins, empties := strings.Split(o.plugins, ":"), strings.Split(o.empties, ":")
	if len(plugins) != len(empties) {
		return nil, fmt.Errorf("-plugin names %d files and -empty %d: there must be one of each for every compiler", len(plugins), len(empties))
	}
	for i := range plugins {
		if compilerOf(plugins[i]) != compilerOf(empties[i]) {
			return nil, fmt.Errorf("-plugin's %s is by %s, -empty's %s by %s: they must be in the same order", plugins[i], compilerOf(plugins[i]), empties[i], compilerOf(empties[i]))
		}
		of, err := pluginVariants(plugins[i], empties[i])
		if err != nil {
			return nil, err
		}
		all = append(append(all, of...), istioVariants(of)...)
	}
	withBodies, err := bodyVariants(plugins[0], empties[0])
	if err != nil {
		return nil, err
	}
	all = append(all, withBodies...)
	var chosen []variant
	for _, v := range all {
		if o.only.MatchString(v.name) {
			chosen = append(chosen, v)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only (%s) matches no variant's name", o.only)
	}
	return chosen, nil
}

// bodyVariants are the same exchanges with bodies, without a plugin and with: by one compiler, as there are many.
func bodyVariants(plugin, empty string) ([]variant, error) {
	var all []variant
	for _, size := range bodySizes {
		of, err := pluginVariants(plugin, empty)
		if err != nil {
			return nil, err
		}
		all = append(all, variant{name: withoutFilter(size), body: size, configure: func(*config.Options, string) {}})
		for _, v := range of {
			v.name, v.body = v.name+", "+sizeName(size), size
			if v.base != "" {
				v.base += ", " + sizeName(size)
			}
			if v.records > 0 {
				configuration := bodiesConfig(v.records, size)
				v.name = strings.Replace(v.name, "records", "records with bodies", 1)
				v.configure = func(c *config.Options, _ string) {
					c.Plugin = &config.Plugin{File: v.artifact, Config: configuration, VMID: "routelens"}
				}
			}
			all = append(all, v)
		}
	}
	return all, nil
}

func pluginVariants(plugin, empty string) ([]variant, error) {
	for _, file := range []*string{&plugin, &empty} {
		if _, err := os.Stat(*file); err != nil {
			return nil, fmt.Errorf("%w; make bench builds it", err)
		}
		path, err := filepath.Abs(*file)
		if err != nil {
			return nil, err
		}
		*file = path
	}
	compiler := compilerOf(plugin)
	base := compiler + ": empty plugin"
	load := func(file, configuration string) func(*config.Options, string) {
		return func(c *config.Options, _ string) {
			c.Plugin = &config.Plugin{File: file, Config: configuration, VMID: "routelens"}
		}
	}
	return []variant{
		{name: base, artifact: empty, configure: load(empty, `{}`)},
		{name: compiler + ": metrics only", base: base, artifact: plugin, counts: true, configure: load(plugin, `{}`)},
		{name: compiler + ": 1% records", base: base, artifact: plugin, counts: true, records: 0.01, configure: load(plugin, sinkConfig(0.01))},
		{name: compiler + ": 100% records", base: base, artifact: plugin, counts: true, records: 1, configure: load(plugin, sinkConfig(1))},
	}, nil
}

// istioVariants are those that record everything or nothing once more, in an Envoy that Istio configures for a
// workload that is called: with its labels, where metrics are all.
func istioVariants(of []variant) []variant {
	var in []variant
	for _, v := range of {
		if !v.counts || v.records > 0 && v.records < 1 {
			continue
		}
		plain := v.configure
		v.name += ", in Istio"
		v.configure = func(c *config.Options, dir string) {
			plain(c, dir)
			if c.Plugin.Config == `{}` {
				c.Plugin.Config = `{"metrics": {"labels": ["route", "response_code", "source_workload", "destination_service"]}}`
			}
			c.Istio = &config.Istio{
				NodeID: "sidecar~10.0.0.1~cart-1.shop~shop.svc.cluster.local", Inbound: true,
				Node: `{"ISTIO_VERSION": "1.31.0", "NAMESPACE": "shop", "WORKLOAD_NAME": "cart-v2"}`,
			}
			for i := range c.Clusters {
				c.Clusters[i].Istio = `{"services": [{"host": "cart.shop.svc.cluster.local", "name": "cart", "namespace": "shop"}]}`
			}
		}
		in = append(in, v)
	}
	return in
}

// compilerOf goes by the artifact's name.
func compilerOf(artifact string) string {
	if strings.HasSuffix(artifact, "-go.wasm") {
		return "Go"
	}
	return "TinyGo"
}

// sinkConfig keeps the share of exchanges and no other, however slow they are on a busy machine.
func sinkConfig(rate float64) string {
	return configOf(rate, `{"rate": 0}`, "8MiB")
}

// bodiesConfig records both bodies, whole, of each exchange that is kept.
func bodiesConfig(rate float64, size int) string {
	return configOf(rate, fmt.Sprintf(`{"rate": %v, "max_bytes": "%dB"}`, rate, size), "64MiB")
}

func configOf(rate float64, body, buffer string) string {
	return fmt.Sprintf(`{
  "sink": {"type": "ndjson", "cluster": "logs", "path": %q, "buffer": {"max_bytes": %q}},
  "resource": {"service.name": "shop"},
  "sampling": {"rate": %v, "follow_trace": false, "errors": 0, "slow": {"rate": 0}, "max_per_second": 0},
  "headers": {"request": ["user-agent"], "response": ["content-type"]},
  "bodies": {"request": %s, "response": %s}
}`, lab.NDJSONPath, buffer, rate, body, body)
}

func accessLog(dir string) string { return filepath.Join(dir, "access.log") }
