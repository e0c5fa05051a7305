package live

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Scope is what a query's variables stand for: those of the dashboard, and the macros of the time picker.
type Scope struct {
	values map[string]value
}

// value is a variable's current one. Raw values go in as they are: macros, and a variable's own word for all.
type value struct {
	texts []string
	raw   bool
	multi bool // the variable may hold several, so each is escaped for a regular expression
}

// Span is what the time picker shows, and what a panel makes of it.
type Span struct {
	End    time.Time
	Range  time.Duration
	Step   time.Duration // $__interval
	Scrape time.Duration // the data source's scrape interval
}

// RateInterval is $__rate_interval, as Grafana has it: always four scrapes, so that two are in any window.
func (s Span) RateInterval() time.Duration { return max(s.Step+s.Scrape, 4*s.Scrape) }

// NewScope begins with the macros alone.
func NewScope(s Span) Scope { return Scope{map[string]value{}}.macros(s) }

// macros gives those of the time picker new values.
func (s Scope) macros(span Span) Scope {
	for name, text := range map[string]string{
		"__interval":      promDuration(span.Step),
		"__interval_ms":   strconv.FormatInt(span.Step.Milliseconds(), 10),
		"__rate_interval": promDuration(span.RateInterval()),
		"__range":         promDuration(span.Range),
		"__range_s":       strconv.FormatInt(int64(span.Range.Seconds()), 10),
		"__range_ms":      strconv.FormatInt(span.Range.Milliseconds(), 10),
		"__from":          strconv.FormatInt(span.End.Add(-span.Range).UnixMilli(), 10),
		"__to":            strconv.FormatInt(span.End.UnixMilli(), 10),
	} {
		s = s.with(name, value{texts: []string{text}, raw: true})
	}
	return s
}

// With is the scope with one variable more, or another value of it.
func (s Scope) With(v Variable, texts ...string) Scope {
	return s.with(v.Name, value{texts: texts, multi: v.Multi || v.IncludeAll})
}

// WithAll gives the variable its value All: the word that it has for that, else each of its options.
func (s Scope) WithAll(v Variable, options []string) Scope {
	if v.AllValue != "" {
		return s.with(v.Name, value{texts: []string{v.AllValue}, raw: true})
	}
	return s.With(v, options...)
}

func (s Scope) with(name string, v value) Scope {
	next := Scope{make(map[string]value, len(s.values)+1)}
	for n, v := range s.values {
		next.values[n] = v
	}
	next.values[name] = v
	return next
}

var reference = regexp.MustCompile(`\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}`)

// Expand puts the values in. A variable that there is none of is an error: Grafana would send its name. Of numbers, such as
// the $1 of label_replace, that is what is wanted.
func (s Scope) Expand(query string) (string, error) {
	var failed error
	out := reference.ReplaceAllStringFunc(query, func(match string) string {
		part := reference.FindStringSubmatch(match)
		name, format := part[1]+part[2]+part[4], part[3]+part[5]
		v, known := s.values[name]
		if _, err := strconv.Atoi(name); err == nil && !known {
			return match
		}
		if !known {
			failed = fmt.Errorf("variable %q is not defined", name)
			return match
		}
		text, err := v.format(format)
		if err != nil {
			failed = fmt.Errorf("variable %q: %w", name, err)
		}
		return text
	})
	return out, failed
}

func (v value) format(format string) (string, error) {
	if v.raw {
		return strings.Join(v.texts, ","), nil
	}
	switch format {
	case "": // the Prometheus data source's own
		if !v.multi {
			return strings.Join(each(v.texts, escapeString), ","), nil
		}
		return alternatives(each(v.texts, escapePattern)), nil
	case "regex":
		return alternatives(each(v.texts, escapeRegex)), nil
	case "pipe":
		return strings.Join(v.texts, "|"), nil
	case "raw", "csv", "text":
		return strings.Join(v.texts, ","), nil
	case "doublequote":
		return strings.Join(each(v.texts, func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }), ","), nil
	case "percentencode":
		return url.QueryEscape(strings.Join(v.texts, ",")), nil
	}
	return "", fmt.Errorf("its format %q is none that this check knows: regex, pipe, csv, raw, text, doublequote, percentencode", format)
}

func each(texts []string, change func(string) string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = change(text)
	}
	return out
}

func alternatives(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return "(" + strings.Join(texts, "|") + ")"
}

// The escapes of Grafana's Prometheus data source: for a quoted string, and for a regular expression within one.
var (
	stringEscapes  = strings.NewReplacer(`\`, `\\`, `'`, `\\'`)
	patternEscapes = regexp.MustCompile(`[$^*{}\[\]'+?.()|]`)
	regexEscapes   = regexp.MustCompile(`[\\^$*+?.()|[\]{}/]`)
)

func escapeString(s string) string { return stringEscapes.Replace(s) }

func escapePattern(s string) string {
	return patternEscapes.ReplaceAllString(strings.ReplaceAll(s, `\`, `\\\\`), `\\$0`)
}

func escapeRegex(s string) string { return regexEscapes.ReplaceAllString(s, `\$0`) }

// promDuration writes a duration as PromQL and Grafana do: in whole units.
func promDuration(d time.Duration) string {
	switch {
	case d%time.Second != 0 || d == 0:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// step is Grafana's own choice: a point for each pixel or so, and never more than there are scrapes.
func (p Panel) step(t Target, s Span) (time.Duration, error) {
	points, least := p.MaxDataPoints, s.Scrape
	if points == 0 {
		points = 1000
	}
	for _, text := range []string{t.Interval, p.Interval} {
		text = strings.TrimPrefix(text, ">")
		if text == "" || strings.HasPrefix(text, "$") {
			continue
		}
		d, err := parseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("interval %q: %w", text, err)
		}
		least = d
		break
	}
	return max(least, s.Range/time.Duration(points)).Round(time.Second), nil
}
