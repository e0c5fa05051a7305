package metrics

import (
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/routelens/routelens/plugin/record"
)

// Stats is where the proxy keeps its stats.
type Stats interface {
	Define(kind Kind, name string) (id uint32)
	Increment(id uint32, n uint64)
	Record(id uint32, v uint64)
}

// Admitted is what [Exchanges] needs of a [Budget].
type Admitted interface {
	Admit(labels string) (admitted, final bool)
	Keep(labels string)
}

// Exchanges counts and times exchanges by their labels, and gives the proxy what
// it gathered on [Exchanges.Flush]. Requests are added up. A histogram takes each
// value in a call of its own, but many at once, from warm caches, cost a fraction
// of what they do one by one among other work.
type Exchanges struct {
	stats    Stats
	labels   []string
	admitted Admitted
	series   map[string]*series
	dirty    []*series
	samples  []sample
	other    *series // of what is beyond the budget
	refused  int     // label sets of it that are known
	overflow uint32
	absorbed uint64
	key      []byte // reused
}

// sample is a value for a histogram.
type sample struct {
	id    uint32
	value uint64
}

// maxSamples bounds what waits for the next flush: about 0.1 ms of work.
const maxSamples = 768

type series struct {
	requests                    uint32
	pending                     uint64
	duration, request, response uint32
}

// NewExchanges prepares metrics with the given labels, of [ExchangeLabels].
func NewExchanges(stats Stats, labels []string, admitted Admitted) *Exchanges {
	return &Exchanges{
		stats: stats, labels: labels, admitted: admitted,
		series:   map[string]*series{},
		overflow: stats.Define(Counter, SeriesOverflow),
	}
}

// Adopt defines a series that another VM may have begun. Envoy keeps a stat only
// while some VM has defined it: one that a new VM does not see before the old one
// is gone would begin at zero again.
func (x *Exchanges) Adopt(labels string) {
	if _, known := x.series[labels]; !known {
		x.series[labels] = x.define(labels)
	}
}

// Observe takes an exchange in.
func (x *Exchanges) Observe(r *record.Record) {
	s := x.find(r)
	if s.pending == 0 {
		x.dirty = append(x.dirty, s)
	}
	s.pending++
	x.samples = append(x.samples,
		sample{s.duration, uint64(r.Duration) / 1e6},
		sample{s.request, uint64(r.RequestBody)},
		sample{s.response, uint64(r.ResponseBody)})
	if len(x.samples) >= maxSamples {
		x.record()
	}
}

func (x *Exchanges) record() {
	for _, s := range x.samples {
		x.stats.Record(s.id, s.value)
	}
	x.samples = x.samples[:0]
}

// Flush gives the proxy what was added up.
func (x *Exchanges) Flush() {
	x.record()
	for _, s := range x.dirty {
		x.stats.Increment(s.requests, s.pending)
		s.pending = 0
	}
	x.dirty = x.dirty[:0]
	if x.absorbed > 0 {
		x.stats.Increment(x.overflow, x.absorbed)
		x.absorbed = 0
	}
}

func (x *Exchanges) find(r *record.Record) *series {
	x.key = x.key[:0]
	for _, label := range x.labels {
		x.key = append(append(x.key, label...), "=.="...)
		x.key = append(appendLabel(x.key, label, r), ";.;"...)
	}
	if s, ok := x.series[unsafe.String(unsafe.SliceData(x.key), len(x.key))]; ok {
		if s == x.other {
			x.absorbed++
		}
		return s
	}
	labels := string(x.key)
	admitted, final := x.admitted.Admit(labels)
	if admitted {
		s := x.define(labels)
		x.series[labels] = s
		return s
	}
	if x.other == nil {
		x.defineOther()
	}
	x.absorbed++
	if final && x.refused < maxKnown {
		x.series[labels] = x.other
		x.refused++
	}
	return x.other
}

// maxKnown bounds the memory spent on label sets that were not admitted.
const maxKnown = 100_000

func (x *Exchanges) define(labels string) *series {
	return &series{
		requests: x.stats.Define(Counter, labels+Requests),
		duration: x.stats.Define(Histogram, labels+Duration),
		request:  x.stats.Define(Histogram, labels+RequestSize),
		response: x.stats.Define(Histogram, labels+ResponseSize),
	}
}

func (x *Exchanges) defineOther() {
	labels := ""
	for _, label := range x.labels {
		labels += Label(label, "other")
	}
	x.admitted.Keep(labels) // so that other VMs adopt it
	x.other = x.define(labels)
}

// Label writes a label into a stat's name, as Envoy's stats_tags and Istio's
// extraStatTags take it out again. The value must be a plain word.
func Label(name, value string) string { return name + "=.=" + value + ";.;" }

func appendLabel(dst []byte, label string, r *record.Record) []byte {
	switch label {
	case LabelRoute:
		return appendValue(dst, r.Route)
	case LabelMethod:
		if !record.KnownMethod(r.Method) {
			return append(dst, record.OtherMethod...)
		}
		return append(dst, r.Method...)
	case LabelCode:
		return strconv.AppendInt(dst, r.Status, 10)
	case LabelCluster:
		return appendValue(dst, r.Cluster)
	case LabelVirtualHost:
		return appendValue(dst, r.VirtualHost)
	case LabelGRPC:
		if r.GRPC < 0 {
			return append(dst, '-')
		}
		return strconv.AppendInt(dst, min(r.GRPC, 17), 10) // 17 and above are no codes
	}
	return appendIstio(dst, label, r.Istio)
}

// appendIstio appends the value of a label of Istio's. What is not known is what it
// is in Istio's own metrics, so that the two can be joined.
func appendIstio(dst []byte, label string, i *record.Istio) []byte {
	value := i.Label(label)
	switch {
	case value != "":
		return appendValue(dst, value)
	case strings.HasSuffix(label, "_revision"):
		return append(dst, "latest"...)
	}
	return append(dst, "unknown"...)
}

// maxLabel caps a label's value, in bytes.
const maxLabel = 200

// appendValue appends a label's value without what would end it early or break
// the text form of the stats. An absent one is "-", as in Envoy's logs.
func appendValue(dst []byte, value string) []byte {
	if value == "" {
		return append(dst, '-')
	}
	if len(value) > maxLabel {
		value = value[:maxLabel]
	}
	for _, c := range value {
		if c < ' ' || c == ';' || c == '=' || c == 0x7f || c == utf8.RuneError {
			c = '_'
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst
}
