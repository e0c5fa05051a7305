package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDemoEndsInAVerdictThatAllCountsAgree(t *testing.T) {
	for _, plugin := range strings.Split(needed(t, "ROUTELENS_WASM"), ":") {
		t.Run(plugin, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{
				"-plugin", plugin, "-envoy", needed(t, "ROUTELENS_ENVOY"), "-victoria-logs", needed(t, "ROUTELENS_VICTORIA_LOGS"),
				"-duration", "3s",
			}, &stdout, &stderr)
			require.Zero(t, code, "%s%s", &stdout, &stderr)
			require.Empty(t, stderr.String())
			require.Contains(t, stdout.String(), "requests, each once   ok")
		})
	}
}

// needed fails the test, never skips it, where a variable is missing.
func needed(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	require.NotEmpty(t, value, "%s must be set; make e2e does", variable)
	return value
}

func TestUsageTellsOfEveryFlag(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-help"}, &stdout, &stderr))
	require.Equal(t, usage, stdout.String())
	new(options).flags().VisitAll(func(f *flag.Flag) {
		require.Contains(t, usage, "\n  -"+f.Name+" ")
	})
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for flags, want := range map[string]string{
		"-dashboards d":         "demo: -dashboards: they ask Prometheus: -prometheus must name its binary\n",
		"-beside true":          "demo: -beside needs -dashboards, and no -duration: the traffic lasts as long as the command\n",
		"-plugin /nowhere.wasm": "demo: -plugin: stat /nowhere.wasm: no such file or directory; make plugin builds it\n",
		"-rate 0":               "demo: -rate (0) must be above 0\n",
		"-duration -1s":         "demo: -duration (-1s) must not be negative\n",
		"more":                  "demo: unexpected argument \"more\": there are only flags\n",
		"-speed 1":              "demo: flag provided but not defined: -speed\n",
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 2, run(t.Context(), strings.Fields(flags), &stdout, &stderr))
		require.Equal(t, want+"See demo -help.\n", stderr.String())
	}
}
