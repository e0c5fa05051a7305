package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/dashboards/internal/mixin"
	"github.com/routelens/routelens/plugin/goldentest"
)

func TestTheCommittedFilesAreWhatTheConfigurationGives(t *testing.T) {
	c, err := mixin.Load("mixin.yaml")
	require.NoError(t, err)
	files, err := render(c)
	require.NoError(t, err)
	require.Len(t, files, 6)
	for name, content := range files {
		goldentest.Equal(t, name, string(content))
	}
	for _, pattern := range []string{"grafana/*", "prometheus/*.yaml", "kubernetes/*"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range found {
			assert.Contains(t, files, name, "nothing makes this file")
		}
	}
}

func TestItIsMadeAlikeEachTime(t *testing.T) {
	c, err := mixin.Load("mixin.yaml")
	require.NoError(t, err)
	first, err := render(c)
	require.NoError(t, err)
	for range 10 {
		again, err := render(c)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func TestTheCommandWritesWhereItIsTold(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	require.Zero(t, run([]string{"-o", dir, "-histograms", "native", "-logs", "victorialogs"}, &out, &errs), errs.String())
	routes, err := os.ReadFile(filepath.Join(dir, "grafana/routes.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(routes), "_bucket")
	assert.Contains(t, string(routes), "victoriametrics-logs-datasource")
	assert.FileExists(t, filepath.Join(dir, "prometheus/alerts.yaml"))
}

func TestTheCommandTellsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no such kind of histogram", []string{"-histograms", "exotic"}, `dashboards: histograms must be classic or native, is "exotic"`},
		{"no such store", []string{"-logs", "tape"}, `dashboards: logs.store must be loki or victorialogs, is "tape"`},
		{"no such file", []string{"-config", "none.yaml"}, "dashboards: open none.yaml: no such file or directory"},
		{"an argument", []string{"more"}, `dashboards: unexpected argument "more": there are only flags; see -help`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			assert.Equal(t, 1, run(append(c.args, "-o", t.TempDir()), &out, &errs))
			assert.Equal(t, c.want, strings.TrimSpace(errs.String()))
		})
	}
}
