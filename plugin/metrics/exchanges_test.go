package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/shared/sharedtest"
)

// proxy keeps stats as Envoy does: by their names.
type proxy struct {
	names   []string
	kinds   []Kind
	counts  map[string]uint64
	values  map[string][]uint64
	defined int
}

func newProxy() *proxy { return &proxy{counts: map[string]uint64{}, values: map[string][]uint64{}} }

func (p *proxy) Define(kind Kind, name string) uint32 {
	p.defined++
	for id, known := range p.names {
		if known == name {
			return uint32(id)
		}
	}
	p.names, p.kinds = append(p.names, name), append(p.kinds, kind)
	return uint32(len(p.names) - 1)
}

func (p *proxy) Increment(id uint32, n uint64) { p.counts[p.names[id]] += n }
func (p *proxy) Record(id uint32, v uint64) {
	p.values[p.names[id]] = append(p.values[p.names[id]], v)
}

var extractors = map[string]*regexp.Regexp{}

func init() {
	for _, label := range extracted() {
		extractors[label] = regexp.MustCompile(`(` + label + `=\.=(.*?);\.;)`)
	}
}

// extracted are all that are taken out in Istio.
func extracted() []string { return slices.Concat(Labels(), record.IstioLabels) }

// parted takes the labels out of a stored name, as Envoy's stats_tags do: each
// expression in turn removes its first group and keeps its second as the value.
func parted(name string) (bare string, labels map[string]string) {
	labels = map[string]string{}
	bare = "wasmcustom." + name
	for _, label := range extracted() {
		at := extractors[label].FindStringSubmatchIndex(bare)
		if at != nil {
			labels[label] = bare[at[4]:at[5]]
			bare = bare[:at[2]] + bare[at[3]:]
		}
	}
	return strings.TrimPrefix(bare, "wasmcustom."), labels
}

type admits bool

const everything, nothing = admits(true), admits(false)

func (a admits) Admit(string) (admitted, final bool) { return bool(a), true }
func (admits) Keep(string)                           {}

func exchange(route string) *record.Record {
	return &record.Record{Route: route, Method: "GET", Status: 200, GRPC: record.Unknown, Duration: 1_999_999, RequestBody: 10, ResponseBody: 20}
}

func TestAnExchangeIsCountedAndMeasured(t *testing.T) {
	p := newProxy()
	x := NewExchanges(p, []string{LabelRoute, LabelMethod, LabelCode}, everything)
	for range 3 {
		x.Observe(exchange("cart"))
	}
	x.Observe(&record.Record{GRPC: record.Unknown})
	const cart, none = "route=.=cart;.;method=.=GET;.;response_code=.=200;.;", "route=.=-;.;method=.=_OTHER;.;response_code=.=0;.;"
	assert.Empty(t, p.counts, "before the flush")
	x.Flush()
	x.Flush()
	assert.Equal(t, map[string]uint64{cart + Requests: 3, none + Requests: 1}, p.counts)
	assert.Equal(t, map[string][]uint64{
		cart + Duration: {1, 1, 1}, cart + RequestSize: {10, 10, 10}, cart + ResponseSize: {20, 20, 20},
		none + Duration: {0}, none + RequestSize: {0}, none + ResponseSize: {0},
	}, p.values)
	for id, kind := range p.kinds {
		assert.Equal(t, kind == Counter, strings.HasSuffix(p.names[id], "_total"), p.names[id])
	}
}

func TestManyExchangesAreAllMeasuredBeforeTheFlush(t *testing.T) {
	p := newProxy()
	x := NewExchanges(p, nil, everything)
	for range 10 * maxSamples {
		x.Observe(exchange("cart"))
		require.Less(t, len(x.samples), maxSamples)
	}
	x.Flush()
	assert.Len(t, p.values[Duration], 10*maxSamples)
	assert.EqualValues(t, 10*maxSamples, p.counts[Requests])
}

func TestLabels(t *testing.T) {
	long := strings.Repeat("é", maxLabel)
	for _, c := range []struct {
		name, label string
		record      record.Record
		want        string
	}{
		{"a route as it is", LabelRoute, record.Record{Route: "httproute/ns/a.b/rule/0/match/0/*"}, "httproute/ns/a.b/rule/0/match/0/*"},
		{"a template", LabelRoute, record.Record{Route: "/users/{id}"}, "/users/{id}"},
		{"no route", LabelRoute, record.Record{}, "-"},
		{"a route that would end its label", LabelRoute, record.Record{Route: "a;.;method=.=b"}, "a_._method_._b"},
		{"a route on two lines", LabelRoute, record.Record{Route: "a\nb\x7f\x00"}, "a_b__"},
		{"a route that is not UTF-8", LabelRoute, record.Record{Route: "a\xffb"}, "a_b"},
		{"a route that is too long", LabelRoute, record.Record{Route: long}, long[:maxLabel]},
		{"a route cut within a character", LabelRoute, record.Record{Route: "a" + long}, "a" + long[:maxLabel-2] + "_"},
		{"a known method", LabelMethod, record.Record{Method: "PATCH"}, "PATCH"},
		{"a method that somebody made up", LabelMethod, record.Record{Method: "get"}, "_OTHER"},
		{"a status", LabelCode, record.Record{Status: 503}, "503"},
		{"no status", LabelCode, record.Record{}, "0"},
		{"a cluster", LabelCluster, record.Record{Cluster: "outbound|80||a.b"}, "outbound|80||a.b"},
		{"no virtual host", LabelVirtualHost, record.Record{}, "-"},
		{"no gRPC status", LabelGRPC, record.Record{GRPC: record.Unknown}, "-"},
		{"a gRPC status", LabelGRPC, record.Record{GRPC: 14}, "14"},
		{"a workload of Istio's", "source_workload", record.Record{Istio: &record.Istio{Source: record.Workload{Name: "web-v1"}}}, "web-v1"},
		{"an identity", "destination_principal", record.Record{Istio: &record.Istio{Destination: record.Workload{Principal: "spiffe://td/ns/a/sa/b"}}}, "spiffe://td/ns/a/sa/b"},
		{"a workload that would end its label", "source_workload", record.Record{Istio: &record.Istio{Source: record.Workload{Name: "a;.;"}}}, "a_._"},
		{"a workload that nobody knows, as Istio has it", "source_workload", record.Record{Istio: &record.Istio{}}, "unknown"},
		{"a revision that nobody knows, as Istio has it", "destination_canonical_revision", record.Record{Istio: &record.Istio{}}, "latest"},
		{"a label of Istio's in another proxy", "reporter", record.Record{}, "unknown"},
		{"a gRPC status that is none", LabelGRPC, record.Record{GRPC: 65535}, "17"},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, string(appendLabel(nil, c.label, &c.record)))
		})
	}
}

func TestBeyondTheBudgetExchangesAreOther(t *testing.T) {
	p := newProxy()
	budget := NewBudget(sharedtest.New(), "series", 2)
	x := NewExchanges(p, []string{LabelRoute, LabelMethod}, budget)
	for range 2 {
		for i := range 5 {
			x.Observe(exchange(fmt.Sprint("r", i)))
		}
		x.Flush()
	}
	const other = "route=.=other;.;method=.=other;.;"
	assert.Equal(t, map[string]uint64{
		"route=.=r0;.;method=.=GET;.;" + Requests: 2, "route=.=r1;.;method=.=GET;.;" + Requests: 2,
		other + Requests: 6, SeriesOverflow: 6,
	}, p.counts)
	assert.Len(t, p.values[other+Duration], 6)
	assert.Len(t, p.names, 1+3*4, "the overflow counter and three label sets")

	next := newProxy() // what another VM sees
	y := NewExchanges(next, []string{LabelRoute, LabelMethod}, budget)
	names, _ := budget.Names(0, 100)
	for _, labels := range names {
		y.Adopt(labels)
	}
	assert.ElementsMatch(t, p.names, next.names)
	y.Observe(exchange("r9"))
	y.Flush()
	assert.Equal(t, map[string]uint64{other + Requests: 1, SeriesOverflow: 1}, next.counts)
	assert.Len(t, next.names, 1+3*4)
}

func TestTheOverflowCounterIsThereFromTheStart(t *testing.T) {
	p := newProxy()
	NewExchanges(p, nil, everything)
	assert.Equal(t, []string{SeriesOverflow}, p.names)
}

func TestNamesThatWereNotAdmittedTakeBoundedMemory(t *testing.T) {
	p := newProxy()
	x := NewExchanges(p, []string{LabelRoute}, nothing)
	const n = maxKnown + 100
	for i := range n {
		x.Observe(exchange(fmt.Sprint(i)))
	}
	x.Observe(exchange(fmt.Sprint(n - 1)))
	x.Flush()
	assert.Len(t, x.series, maxKnown)
	assert.EqualValues(t, n+1, p.counts[SeriesOverflow])
	assert.EqualValues(t, n+1, p.counts["route=.=other;.;"+Requests])
	assert.Len(t, p.names, 5)
}

// busy refuses for now what it admits later.
type busy struct {
	admits
	times int
}

func (b *busy) Admit(string) (admitted, final bool) { b.times--; return b.times < 0, b.times < 0 }

func TestASeriesThatCouldNotBeAskedForIsAskedForAgain(t *testing.T) {
	p := newProxy()
	x := NewExchanges(p, []string{LabelRoute}, &busy{times: 2})
	for range 5 {
		x.Observe(exchange("cart"))
	}
	x.Flush()
	assert.Equal(t, map[string]uint64{"route=.=other;.;" + Requests: 2, SeriesOverflow: 2, "route=.=cart;.;" + Requests: 3}, p.counts)
}

func TestAnAdmittedSeriesIsDefinedOnceHoweverManyThereAre(t *testing.T) {
	defined := 0
	x := NewExchanges(counting{&defined}, []string{LabelRoute}, everything)
	for range 2 {
		for i := range maxKnown + 10 {
			x.Observe(exchange(fmt.Sprint(i)))
		}
	}
	x.Adopt("route=.=x;.;")
	x.Adopt("route=.=x;.;")
	assert.Equal(t, 1+4*(maxKnown+10+1), defined)
}

type counting struct{ defined *int }

func (c counting) Define(Kind, string) uint32 { *c.defined++; return 0 }
func (counting) Increment(uint32, uint64)     {}
func (counting) Record(uint32, uint64)        {}

func FuzzLabelsComeOutOfTheNameAsTheyWentIn(f *testing.F) {
	f.Add("cart", "GET", "", "v.h", int64(200), int64(0))
	f.Add("a;.;method=.=b", ";.;", "=.=", ";", int64(0), int64(-1))
	f.Add("route=.=x;.;", "\n", "wasmcustom.", "\xff\u2028\u0085", int64(999), int64(70000))
	f.Add("routelens_requests_total", "_OTHER", "response_code", "reason=.=x", int64(1), int64(17))
	f.Fuzz(func(t *testing.T, route, method, cluster, host string, status, grpc int64) {
		istio := &record.Istio{Reporter: route, Service: method, Source: record.Workload{Name: host}, Destination: record.Workload{Principal: cluster}}
		r := &record.Record{Istio: istio, Route: route, Method: method, Cluster: cluster, VirtualHost: host, Status: max(status, 0), GRPC: max(grpc, -1)}
		p := newProxy()
		x := NewExchanges(p, ExchangeLabels, everything)
		x.Observe(r)
		for _, name := range p.names[1:] {
			bare, labels := parted(name)
			require.Contains(t, []string{Requests, Duration, RequestSize, ResponseSize}, bare, "%q", name)
			require.Len(t, labels, len(ExchangeLabels))
			for label, value := range labels {
				require.Equal(t, string(appendLabel(nil, label, r)), value)
				require.NotEmpty(t, value)
				require.LessOrEqual(t, len(value), maxLabel+utf8.UTFMax)
				require.True(t, utf8.ValidString(value))
				require.NotRegexp(t, `[\x00-\x1f\x7f;=]`, value)
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	x := NewExchanges(discard{}, []string{LabelRoute, LabelMethod, LabelCode}, everything)
	routes := make([]*record.Record, 16)
	for i := range routes {
		routes[i] = exchange(fmt.Sprint("/users/{id}/orders/", i))
		x.Observe(routes[i])
	}
	x.Flush()
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		x.Observe(routes[n%len(routes)])
		n++
	}
	counted := 0
	for _, s := range x.dirty {
		counted += int(s.pending)
	}
	require.Equal(b, n, counted)
	require.Len(b, x.series, len(routes))
	require.Zero(b, testing.AllocsPerRun(100, func() { x.Observe(routes[0]) }))
}

type discard struct{}

func (discard) Define(Kind, string) uint32 { return 0 }
func (discard) Increment(uint32, uint64)   {}
func (discard) Record(uint32, uint64)      {}
