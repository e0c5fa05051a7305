package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
	"github.com/routelens/routelens/plugin/goldentest"
)

// interval is five seconds in which payments had failures and the stream had nothing.
func interval() view {
	at := time.Date(2026, 11, 23, 12, 30, 5, 0, time.UTC)
	before := reading{
		at:        at.Add(-5 * time.Second),
		exchanges: map[lab.Outcome]int{{Route: "catalog", Code: "200"}: 100, {Route: "payments", Code: "200"}: 10, {Route: "events", Code: "200"}: 4},
		durations: map[string]lab.Bins{"catalog": {0: {Count: 100}}},
	}
	return compare(before, reading{
		at: at,
		exchanges: map[lab.Outcome]int{
			{Route: "catalog", Code: "200"}: 400, {Route: "payments", Code: "200"}: 100, {Route: "payments", Code: "503"}: 10, {Route: "events", Code: "200"}: 4,
		},
		durations: map[string]lab.Bins{
			"catalog":  {0: {Count: 300}, 2: {Low: 2, Width: 0.1, Count: 100}},
			"payments": {50: {Low: 50, Width: 1, Count: 95}, 1200: {Low: 1200, Width: 100, Count: 5}},
		},
		pipeline: lab.Pipeline{Emitted: 1234567, Delivered: 1234000, Dropped: 60, Unconfirmed: 7},
		last: []map[string]string{{
			"_time": "2026-11-23T12:30:04.5Z", "http.request.method": "GET", "url.path": "/users/42",
			"http.response.status_code": "200", "http.server.request.duration": "0.0123",
		}},
	})
}

func TestTable(t *testing.T) {
	var text strings.Builder
	for _, l := range table(interval()) {
		text.WriteString(l.text + "\n")
	}
	goldentest.Equal(t, "testdata/table.txt", text.String())
	require.Equal(t, "12:30:05  80 requests/s, 2.5% 5xx, p50 <1 ms, p99 1220 ms; records: 1,234,000 delivered, 500 waiting, 60 dropped", oneLine(interval()))
}

func TestRouteWithFailuresIsRed(t *testing.T) {
	for _, l := range table(interval()) {
		require.Equal(t, strings.HasPrefix(l.text, "payments"), l.style == red, l.text)
	}
}

func TestTerminalIsDrawnOverAndNeverWiderOrHigherThanItIs(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, colours: true, size: func() (int, int, error) { return 20, 7, nil }}
	s.draw(interval())
	require.Equal(t, 6, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "\r\x1b[31mpayments   20.0/s   \x1b[0m\x1b[K\n")

	out.Reset()
	s.draw(interval())
	require.True(t, strings.HasPrefix(out.String(), "\x1b[6A\r"), "%q", out.String())

	out.Reset()
	s.say("done")
	s.colours, s.size = false, func() (int, int, error) { return 0, 0, errors.New("gone") }
	s.draw(interval())
	require.NotContains(t, out.String(), "\x1b[31m")
	require.NotContains(t, out.String(), "\x1b[6A", "what was said stays")
}

func TestWithoutATerminalThereIsALineNowAndThen(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	v := interval()
	for range 11 {
		s.draw(v)
		v.at = v.at.Add(time.Second)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3, "of eleven seconds: %s", &out)
	require.NotContains(t, out.String(), "\x1b")
}
