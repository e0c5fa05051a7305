package lab

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain can be a Grafana, as far as it shows what it was started with.
func TestMain(m *testing.M) {
	if os.Getenv("ROUTELENS_FAKE_GRAFANA") != "" {
		fakeGrafana(os.Args[1:])
	}
	os.Exit(m.Run())
}

func fakeGrafana(args []string) {
	subcommand := ""
	if !strings.HasPrefix(args[0], "-") {
		subcommand, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("grafana", flag.ExitOnError)
	home, config := flags.String("homepath", "", ""), flags.String("config", "", "")
	flags.Parse(args)
	ini, _ := os.ReadFile(*config)
	setting := func(name string) string {
		_, rest, _ := strings.Cut(string(ini), "\n"+name+" = ")
		value, _, _ := strings.Cut(rest, "\n")
		return value
	}
	http.HandleFunc("/api/health", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	http.HandleFunc("/started", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%s %s", subcommand, *home) })
	http.Handle("/provisioning/", http.StripPrefix("/provisioning/", http.FileServer(http.Dir(setting("provisioning")))))
	panic(http.ListenAndServe(setting("http_addr")+":"+setting("http_port"), nil))
}

func TestGrafanaIsStartedWithDashboardsAndDataSources(t *testing.T) {
	t.Setenv("ROUTELENS_FAKE_GRAFANA", "1")
	for name, subcommand := range map[string]string{"grafana": "server", "grafana-server": ""} {
		home := t.TempDir()
		binary := filepath.Join(home, "bin", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(binary), 0o700))
		require.NoError(t, os.MkdirAll(filepath.Join(home, "conf"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(home, "conf", "defaults.ini"), nil, 0o600))
		require.NoError(t, os.WriteFile(binary, []byte(fmt.Sprintf("#!/bin/sh\nexec %q \"$@\"\n", os.Args[0])), 0o700))
		address, err := FreeAddress(0)
		require.NoError(t, err)

		grafana, err := StartGrafana(t.Context(), GrafanaOptions{
			Binary: binary, Dir: t.TempDir(), Address: address, Dashboards: "/dashboards",
			Prometheus: &Prometheus{URL: "http://127.0.0.1:1", Scrape: 2 * time.Second}, Store: &Store{URL: "http://127.0.0.1:2"},
		})
		require.NoError(t, err)
		show := func(path string) string {
			page, err := fetch(t.Context(), grafana.URL+path)
			require.NoError(t, err)
			return string(page)
		}
		require.Equal(t, subcommand+" "+home, show("/started"))
		sources := show("/provisioning/datasources/routelens.yaml")
		require.Contains(t, sources, `type: prometheus, access: proxy, url: "http://127.0.0.1:1", isDefault: true, jsonData: {timeInterval: 2s,`)
		require.Contains(t, sources, `type: victoriametrics-logs-datasource, access: proxy, url: "http://127.0.0.1:2"`)
		require.Contains(t, show("/provisioning/dashboards/routelens.yaml"), `path: "/dashboards"`)
		require.NoError(t, grafana.Stop())
	}
}

func TestGrafanaWithoutItsFilesIsRefused(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "grafana")
	require.NoError(t, os.WriteFile(binary, nil, 0o700))
	elsewhere := t.TempDir()
	_, err := grafanaHome(binary, elsewhere)
	require.ErrorContains(t, err, binary+": no conf/defaults.ini of Grafana in ")
	require.ErrorContains(t, err, elsewhere)
}
