package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// style is how a line is shown where colours are.
type style string

const (
	plain  style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[31m"
	normal style = "\x1b[0m"
)

// line is text without escapes, so that its width is known.
type line struct {
	style style
	text  string
}

// table lays out all of a view, in few enough lines for a small terminal.
func table(v view) []line {
	rows := [][]string{{"ROUTE", "RATE", "5xx", "P50", "P95", "P99"}}
	for _, r := range append(v.routes, v.all) {
		rows = append(rows, r.cells())
	}
	var lines []line
	for i, text := range columns(rows, rightAligned) {
		switch {
		case i == 0 || i == len(rows)-1:
			lines = append(lines, line{bold, text})
		case v.routes[i-1].errors > 0:
			lines = append(lines, line{red, text})
		default:
			lines = append(lines, line{plain, text})
		}
	}
	p := v.pipeline
	lines = append(lines, line{}, line{bold, fmt.Sprintf("RECORDS   %s emitted, %s delivered, %s waiting, %s dropped, %s unconfirmed",
		thousands(p.Emitted), thousands(p.Delivered), thousands(p.Emitted-p.Ended()), thousands(p.Dropped), thousands(p.Unconfirmed))})
	for _, record := range v.last {
		lines = append(lines, line{plain, recordLine(record, v.at.Location())})
	}
	return append(lines, line{dim, "Rates and latencies of the last 5 s, from Envoy's stats. Ctrl-C ends all."})
}

// oneLine is a view where there is no terminal.
func oneLine(v view) string {
	p := v.pipeline
	return fmt.Sprintf("%s  %.0f requests/s, %s 5xx, p50 %s, p99 %s; records: %s delivered, %s waiting, %s dropped",
		v.at.Format(time.TimeOnly), v.all.rate, percent(v.all.errors), millis(v.all.p50), millis(v.all.p99),
		thousands(p.Delivered), thousands(p.Emitted-p.Ended()), thousands(p.Dropped))
}

func (r routeView) cells() []string {
	if r.n == 0 {
		return []string{r.name, "0/s", "", "", "", ""}
	}
	return []string{r.name, fmt.Sprintf("%.1f/s", r.rate), percent(r.errors), millis(r.p50), millis(r.p95), millis(r.p99)}
}

// recordLine shows the fields that a person looks for first.
func recordLine(record map[string]string, zone *time.Location) string {
	at, _ := time.Parse(time.RFC3339Nano, record["_time"])
	seconds, _ := strconv.ParseFloat(record["http.server.request.duration"], 64)
	return fmt.Sprintf("%s   %s   %-4s   %s   %s", at.In(zone).Format("15:04:05.000"), record["http.response.status_code"],
		record["http.request.method"], record["url.path"], millis(1000*seconds))
}

func percent(share float64) string {
	if share == 0 {
		return "0%"
	}
	return fmt.Sprintf("%.1f%%", 100*share)
}

func millis(ms float64) string {
	if ms < 1 {
		return "<1 ms"
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func thousands(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// alignment is that of all columns but the first, which holds names.
type alignment bool

const (
	leftAligned  alignment = false
	rightAligned alignment = true
)

func columns(rows [][]string, rest alignment) []string {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			gap := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if j > 0 && rest == rightAligned {
				b.WriteString(gap + cell + "   ")
			} else {
				b.WriteString(cell + gap + "   ")
			}
		}
		lines[i] = strings.TrimRight(b.String(), " ")
	}
	return lines
}
