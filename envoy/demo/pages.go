package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"

	"github.com/routelens/routelens/envoy/lab"
)

// pages are the dashboards, in Grafana or drawn with its library.
type pages struct {
	url     string
	grafana *lab.Grafana // nil: drawn
	server  *http.Server // nil: in Grafana
}

// openPages starts what shows the dashboards.
func openPages(ctx context.Context, o options, p *parts) (*pages, error) {
	dashboards, err := filepath.Abs(filepath.Join(o.dashboards, "grafana"))
	if err != nil {
		return nil, err
	}
	address, err := lab.FreeAddress(3000)
	if err != nil {
		return nil, err
	}
	if o.grafana != "" {
		grafana, err := lab.StartGrafana(ctx, lab.GrafanaOptions{
			Binary: o.grafana, Dir: p.dir, Address: address, Dashboards: dashboards, Prometheus: p.prometheus, Store: p.store,
		})
		if err != nil {
			return nil, err
		}
		return &pages{url: grafana.URL, grafana: grafana}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: drawn(o.draw, dashboards, p.prometheus, p.store)}
	go server.Serve(listener)
	return &pages{url: "http://" + address, server: server}, nil
}

func (p *pages) stop() error {
	if p.grafana != nil {
		return p.grafana.Stop()
	}
	return p.server.Close()
}

func (p *pages) failed() error {
	if p.grafana != nil {
		return p.grafana.Failed()
	}
	return nil
}

// what says how they came to be: what is drawn with the library is not all that Grafana does.
func (p *pages) what() string {
	if p.grafana != nil {
		return "The dashboards, in Grafana"
	}
	return "The dashboards, drawn with Grafana's library"
}

// source is a data source as the page that draws is told of it.
type source struct {
	UID      string `json:"uid"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	URL      string `json:"url"`
	Interval string `json:"interval,omitempty"` // between scrapes
}

// drawn serves the page that draws, what it draws, and by way of its own origin the data sources.
func drawn(page, dashboards string, prometheus *lab.Prometheus, store *lab.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/sources", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, []source{
			{"prometheus", "Prometheus", "prometheus", "/prometheus", prometheus.Scrape.String()},
			{"victorialogs", "VictoriaLogs", "victoriametrics-logs-datasource", "/victorialogs", ""},
		}, nil)
	})
	mux.HandleFunc("/api/dashboards", func(w http.ResponseWriter, _ *http.Request) {
		all, err := readDashboards(dashboards)
		reply(w, all, err)
	})
	mux.Handle("/prometheus/", forward("/prometheus", prometheus.URL))
	mux.Handle("/victorialogs/", forward("/victorialogs", store.URL))
	files := http.FileServer(http.Dir(page))
	for _, path := range []string{"/assets/", "/build/", "/fonts/"} {
		mux.Handle(path, files)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join(page, "index.html")) })
	return mux
}

func forward(prefix, to string) http.Handler {
	target, err := url.Parse(to)
	if err != nil {
		panic(err) // it is ours
	}
	return http.StripPrefix(prefix, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
}

// readDashboards reads them each time: an edit is seen when the page is loaded again.
func readDashboards(dir string) ([]json.RawMessage, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) == 0 {
		return nil, errors.Join(err, fmt.Errorf("no dashboards in %s", dir))
	}
	all := make([]json.RawMessage, len(names))
	for i, name := range names {
		if all[i], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func reply(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}
