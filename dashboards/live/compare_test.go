//go:build live

package live

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestAComparisonFindsWhatIsOff(t *testing.T) {
	x := truth{seconds: 10, events: []event{{route: "a", took: ms(10)}, {route: "a", took: ms(20)}, {route: "b", took: ms(30), code: 503}}}
	a, b := Series{Labels: map[string]string{"route": "a"}}, Series{Labels: map[string]string{"route": "b"}}
	give := func(of Series, value float64) Series { of.Values = []float64{value}; return of }
	for name, c := range map[string]struct {
		want expected
		got  []Series
		near bool
	}{
		"near enough":            {byRoute(truth.rate), []Series{give(a, 0.209), give(b, 0.0951)}, true},
		"a value too large":      {byRoute(truth.rate), []Series{give(a, 0.211), give(b, 0.1)}, false},
		"a value too small":      {byRoute(truth.rate), []Series{give(a, 0.2), give(b, 0.094)}, false},
		"a series missing":       {byRoute(truth.rate), []Series{give(a, 0.2)}, false},
		"a series twice":         {byRoute(truth.rate), []Series{give(a, 0.2), give(a, 0.2), give(b, 0.1)}, false},
		"a series too many":      {single(truth.errors), []Series{give(a, 1./3), give(b, 1./3)}, false},
		"something, not nothing": {constant(0), []Series{give(Series{}, 0.001)}, false},
		"no number":              {constant(0), []Series{{}}, false},
	} {
		assert.Equal(t, c.near, c.want.compare([]truth{x}, c.got) == nil, name)
	}
	later := x.of(func(e event) bool { return e.route == "a" })
	assert.NoError(t, single(truth.rate).compare([]truth{x, later}, []Series{give(Series{}, 0.25)}), "between what was and what is")

	asked := []Asked{{Panel: Panel{Title: "p", Type: "stat"}, Target: Target{RefID: "A"}, Source: "prometheus"}}
	assert.Len(t, compareAll(map[string]expected{"q (stat) A": constant(0)}, []truth{x}, asked), 2, "a panel without a truth, a truth without a panel")
}

func TestRareTimesAreKnownByTheirBuckets(t *testing.T) {
	x := truth{seconds: 1}
	for n := range 100 {
		x.events = append(x.events, event{took: ms(101 + n)}) // up to 200
	}
	x.events[99].took, x.events[98].took = ms(300), ms(310) // and two in the next bucket
	assert.InDelta(t, 310, x.quantile(0.99), 0.001)
	x.buckets = true
	assert.InDelta(t, 151, x.quantile(0.5), 0.001, "not the median")
	assert.InDelta(t, 250+250*0.5, x.quantile(0.99), 3, "half way through the two")
}
