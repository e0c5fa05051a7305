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
		all = append(all, of...)
	}
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

// compilerOf goes by the artifact's name.
func compilerOf(artifact string) string {
	if strings.HasSuffix(artifact, "-go.wasm") {
		return "Go"
	}
	return "TinyGo"
}

// sinkConfig keeps the share of exchanges and no other, however slow they are on a busy machine.
func sinkConfig(rate float64) string {
	return fmt.Sprintf(`{
  "sink": {"type": "ndjson", "cluster": "logs", "path": %q},
  "resource": {"service.name": "shop"},
  "sampling": {"rate": %v, "follow_trace": false, "errors": 0, "slow": {"rate": 0}, "max_per_second": 0},
  "headers": {"request": ["user-agent"], "response": ["content-type"]}
}`, lab.NDJSONPath, rate)
}

func accessLog(dir string) string { return filepath.Join(dir, "access.log") }
