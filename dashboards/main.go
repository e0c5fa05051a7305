// Command dashboards makes the Grafana dashboards and the Prometheus rules out of mixin.yaml.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/routelens/routelens/dashboards/internal/boards"
	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/dashboards/internal/rules"
)

const usage = `Usage: dashboards [flags]

Makes the Grafana dashboards (grafana/) and the Prometheus rules (prometheus/, and kubernetes/ for the Prometheus Operator).

Flags:
  -config FILE        what they are made from (default mixin.yaml)
  -o DIR              where to put them (default .)
  -histograms KIND    classic or native, whatever the file says
  -logs STORE         loki or victorialogs, whatever the file says
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	err := generate(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "dashboards: %v\n", err)
		return 1
	}
	return 0
}

func generate(args []string) error {
	flags := flag.NewFlagSet("dashboards", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	config := flags.String("config", "mixin.yaml", "")
	dir := flags.String("o", ".", "")
	histograms := flags.String("histograms", "", "")
	logs := flags.String("logs", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: there are only flags; see -help", flags.Arg(0))
	}
	c, err := mixin.Load(*config)
	if err != nil {
		return err
	}
	if *histograms != "" {
		c.Histograms = *histograms
	}
	if *logs != "" {
		c.Logs.Store = *logs
	}
	if err := c.Validate(); err != nil {
		return err
	}
	files, err := render(c)
	if err != nil {
		return err
	}
	return write(*dir, files)
}

// render gives every file that is made, by its path.
func render(c mixin.Config) (map[string][]byte, error) {
	files := map[string][]byte{}
	dashboards, err := boards.All(c)
	if err != nil {
		return nil, err
	}
	for name, json := range dashboards {
		files[filepath.Join("grafana", name)] = json
	}
	if files["prometheus/recording.yaml"], err = rules.Recording(c); err != nil {
		return nil, err
	}
	if files["prometheus/alerts.yaml"], err = rules.Alerts(c); err != nil {
		return nil, err
	}
	files["kubernetes/rules.yaml"], err = rules.Resource(c)
	return files, err
}

func write(dir string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
