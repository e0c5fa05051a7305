package lab

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatsAreReadFromThePrometheusPage(t *testing.T) {
	page, err := os.ReadFile("testdata/stats.txt")
	require.NoError(t, err)
	stats, err := parseStats(page)
	require.NoError(t, err)
	require.Equal(t, map[Outcome]int{{"catalog", "200"}: 7, {"users", "200"}: 3, {"users", "201"}: 2}, stats.Exchanges())
	require.Equal(t, 12.0, stats.Sum("routelens_requests_total"))
	require.Equal(t, 2.0, stats.Sum("routelens_requests_total", "route=users", "method=POST"))
	require.Equal(t, 7.0, stats.Sum("routelens_request_duration_milliseconds_count", "route=catalog"))
	require.Equal(t, 15.0, stats.Sum("routelens_request_duration_milliseconds_sum"))

	pipeline := stats.Pipeline()
	require.Equal(t, Pipeline{Emitted: 12, Delivered: 6, Dropped: 4, Unconfirmed: 1, Waiting: 1, WaitingBytes: 512}, pipeline)
	require.Equal(t, 11, pipeline.Ended())
	require.Equal(t, "12 emitted = 6 delivered + 4 dropped + 1 unconfirmed, 1 waiting", pipeline.String())
}

func TestDurationsOfARouteAddUpOverItsSeries(t *testing.T) {
	page, err := os.ReadFile("testdata/stats.json")
	require.NoError(t, err)
	routes, err := parseDurations(page)
	require.NoError(t, err)
	require.Equal(t, map[string]Bins{
		"catalog": {0: {0, 0, 7}, 3: {3, 0.1, 1}},
		"users":   {0: {0, 0, 2}, 50: {50, 1, 6}, 120: {120, 10, 2}},
	}, routes)
}

func TestQuantilesOfAnInterval(t *testing.T) {
	earlier := Bins{10: {10, 1, 5}, 200: {200, 10, 3}}
	now := Bins{10: {10, 1, 95}, 200: {200, 10, 13}, 300: {300, 10, 0}}
	interval := now.Since(earlier)
	require.Equal(t, Bins{10: {10, 1, 90}, 200: {200, 10, 10}}, interval)
	require.Equal(t, 100, interval.Count())
	require.Equal(t, 11.0, interval.Quantile(0.9))
	require.Equal(t, 205.0, interval.Quantile(0.95))
	require.Zero(t, Bins{}.Quantile(0.5))
}
