package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

func TestPagesServeDashboardsAndTheirDataSources(t *testing.T) {
	page, dashboards := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(page, "index.html"), []byte("the page"), 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(page, "assets"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(page, "assets", "index.js"), []byte("the script"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dashboards, "routes.json"), []byte(`{"uid":"routes"}`), 0o600))
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, r.Method+" "+r.URL.String()+" "+string(body))
	}))
	defer echo.Close()
	server := httptest.NewServer(drawn(page, dashboards, &lab.Prometheus{URL: echo.URL, Scrape: 2 * time.Second}, &lab.Store{URL: echo.URL}))
	defer server.Close()

	require.Equal(t, "the page", get(t, server.URL+"/"))
	require.Equal(t, "the page", get(t, server.URL+"/d/routes?var-job=envoy"), "the page finds the dashboard by the address")
	require.Equal(t, "the script", get(t, server.URL+"/assets/index.js"))
	require.JSONEq(t, `[{"uid":"routes"}]`, get(t, server.URL+"/api/dashboards"))
	require.JSONEq(t, `[
		{"uid": "prometheus", "name": "Prometheus", "type": "prometheus", "url": "/prometheus", "interval": "2s"},
		{"uid": "victorialogs", "name": "VictoriaLogs", "type": "victoriametrics-logs-datasource", "url": "/victorialogs"}
	]`, get(t, server.URL+"/api/sources"))
	require.Equal(t, "GET /api/v1/query?query=up ", get(t, server.URL+"/prometheus/api/v1/query?query=up"))
	answer, err := http.Post(server.URL+"/victorialogs/select/logsql/query", "application/x-www-form-urlencoded", http.NoBody)
	require.NoError(t, err)
	require.Equal(t, "POST /select/logsql/query ", bodyOf(t, answer))

	require.NoError(t, os.Remove(filepath.Join(dashboards, "routes.json")))
	answer, err = http.Get(server.URL + "/api/dashboards")
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, answer.StatusCode)
	require.Equal(t, "no dashboards in "+dashboards+"\n", bodyOf(t, answer))
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return bodyOf(t, answer)
}

func bodyOf(t *testing.T, answer *http.Response) string {
	t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}
