package record

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	zeros   = "00000000000000000000000000000000"
)

func TestTraceparent(t *testing.T) {
	for _, c := range []struct {
		name, value string
		flags       byte
		ok          bool
	}{
		{"that is sampled", "00-" + traceID + "-" + spanID + "-01", 1, true},
		{"that is not sampled", "00-" + traceID + "-" + spanID + "-00", 0, true},
		{"with further flags", "00-" + traceID + "-" + spanID + "-fe", 0xfe, true},
		{"of a later version", "01-" + traceID + "-" + spanID + "-01", 1, true},
		{"of a later version that holds more", "cc-" + traceID + "-" + spanID + "-01-what", 1, true},
		{"of a later version that ends in a dash", "cc-" + traceID + "-" + spanID + "-01-", 1, true},
		{"that is absent", "", 0, false},
		{"of version 00 that holds more", "00-" + traceID + "-" + spanID + "-01-what", 0, false},
		{"of a later version with longer flags", "cc-" + traceID + "-" + spanID + "-011", 0, false},
		{"of version ff", "ff-" + traceID + "-" + spanID + "-01", 0, false},
		{"in capitals", "00-" + strings.ToUpper(traceID) + "-" + spanID + "-01", 0, false},
		{"without a trace", "00-" + zeros + "-" + spanID + "-01", 0, false},
		{"without a span", "00-" + traceID + "-" + zeros[:16] + "-01", 0, false},
		{"that is cut", "00-" + traceID + "-" + spanID + "-0", 0, false},
		{"with other dashes", "00_" + traceID + "_" + spanID + "_01", 0, false},
		{"with flags that are not hex", "00-" + traceID + "-" + spanID + "-0x", 0, false},
		{"with a version that is not hex", "0x-" + traceID + "-" + spanID + "-01", 0, false},
		{"given twice and joined", "00-" + traceID + "-" + spanID + "-01,00-" + traceID + "-" + spanID + "-01", 0, false},
		{"of bytes", strings.Repeat("\xff", 55), 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := Trace{}
			if c.ok {
				want = Trace{traceID, spanID, c.flags, true}
			}
			got, ok := ParseTraceparent(c.value)
			assert.Equal(t, c.ok, ok)
			assert.Equal(t, want, got)
			assert.Equal(t, c.flags&1 == 1, got.Sampled())
		})
	}
}

func TestB3(t *testing.T) {
	whole := func(flags byte) Trace { return Trace{traceID, spanID, flags, true} }
	for _, c := range []struct {
		name, single, trace, span, sampled string
		want                               Trace
	}{
		{"in one header", traceID + "-" + spanID + "-1", "", "", "", whole(1)},
		{"in one header with the parent", traceID + "-" + spanID + "-1-05e3ac9a4f6e3b90", "", "", "", whole(1)},
		{"in one header, debugged", traceID + "-" + spanID + "-d", "", "", "", whole(1)},
		{"in one header, not sampled", traceID + "-" + spanID + "-0", "", "", "", whole(0)},
		{"in one header, undecided", traceID + "-" + spanID, "", "", "", whole(0)},
		{"in one header, before several", traceID + "-" + spanID + "-0", zeros, spanID, "1", whole(0)},
		{"in one header with an id of 64 bits", traceID[:16] + "-" + spanID + "-1", "", "", "", Trace{traceID[:16], spanID, 1, true}},
		{"in several", "", traceID, spanID, "1", whole(1)},
		{"in several, the old way", "", traceID, spanID, "true", whole(1)},
		{"in several, undecided", "", traceID, spanID, "", whole(0)},
		{"that only decides", "0", "", "", "", Trace{}},
		{"that is absent", "", "", "", "1", Trace{}},
		{"without a span", "", traceID, "", "1", Trace{}},
		{"without a trace", "", "", spanID, "1", Trace{}},
		{"of zeros", "", zeros, spanID, "1", Trace{}},
		{"in capitals", "", strings.ToUpper(traceID), spanID, "1", Trace{}},
		{"of another length", "", traceID[:31], spanID, "1", Trace{}},
		{"of dashes", "----", "", "", "", Trace{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := ParseB3(c.single, c.trace, c.span, c.sampled)
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.want.Present, ok)
		})
	}
}

var (
	ids    = regexp.MustCompile(`^([0-9a-f]{16}|[0-9a-f]{32})$`)
	spans  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	parent = regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|(?:[0-9a-e][0-9a-f]|f[0-9a-e])-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(?s:.*))?)$`)
)

func FuzzATraceIsWholeOrNone(f *testing.F) {
	for _, s := range []string{"", "00-" + traceID + "-" + spanID + "-01", "cc-" + traceID + "-" + spanID + "-01-x", "00-" + zeros + "-" + spanID + "-01",
		traceID + "-" + spanID + "-1", "0", "-", "\xff", strings.Repeat("-", 55)} {
		f.Add(s, traceID, spanID, "1")
	}
	f.Fuzz(func(t *testing.T, s, trace, span, sampled string) {
		w3c, ok := ParseTraceparent(s)
		requireWhole(t, w3c, ok)
		if ok {
			require.Regexp(t, parent, s)
			require.Len(t, w3c.TraceID, 32)
		} else if parent.MatchString(s) && !strings.HasPrefix(s, "00-") || len(s) == 55 && parent.MatchString(s) {
			require.True(t, strings.Contains(s, zeros) || s[36:52] == zeros[:16], "%q is refused", s)
		}
		one, ok := ParseB3(s, trace, span, sampled)
		requireWhole(t, one, ok)
		several, ok := ParseB3("", trace, span, sampled)
		requireWhole(t, several, ok)
	})
}

func requireWhole(t *testing.T, got Trace, ok bool) {
	require.Equal(t, ok, got.Present)
	if !ok {
		require.Equal(t, Trace{}, got)
		return
	}
	require.Regexp(t, ids, got.TraceID)
	require.Regexp(t, spans, got.SpanID)
	require.NotEmpty(t, strings.Trim(got.TraceID, "0"))
	require.NotEmpty(t, strings.Trim(got.SpanID, "0"))
}
