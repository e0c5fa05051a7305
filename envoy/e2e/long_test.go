//go:build long

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/config"
	"github.com/routelens/routelens/envoy/lab"
)

// The sizes of `make test-long`: the bars' own.
const (
	ledgerRequests  = 200_000
	faultTime       = 10 * time.Second
	faultRate       = 1000 // requests a second
	faultRequests   = 40_000
	replacingTime   = time.Minute
	replacingPeriod = 2 * time.Second
	replacingRate   = 500
	transferSize    = 100 << 20 // bytes
)

// light is traffic that is mostly Envoy's own work.
var light = []lab.Share{
	{Call: lab.Get("teapot", "/teapot"), Times: 15},
	{Call: lab.Get("catalog", "/catalog"), Times: 4},
	{Call: lab.Get("unmatched", "/nothing/here"), Times: 1},
}

// openLight has one worker, which then has all the load, and a sink that only counts.
func openLight(t *testing.T, wasm string) *lab.Envoy {
	shop, err := lab.OpenShop()
	require.NoError(t, err)
	t.Cleanup(func() { shop.Close() })
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	t.Cleanup(sink.Close)
	o := config.Options{
		Clusters: shop.Clusters(),
		Routes:   append([]config.Route{{Name: "teapot", Prefix: "/teapot", Status: 418}}, shop.Routes()...),
		Sink:     &config.Cluster{Name: "logs", Address: strings.TrimPrefix(sink.URL, "http://")},
	}
	o.Plugin = &config.Plugin{File: wasm, Config: configuration(settings{"headers.request": []string{"user-agent"}})}
	envoy, err := lab.StartEnvoy(t.Context(), lab.EnvoyOptions{Binary: needed(t, "ROUTELENS_ENVOY"), Dir: t.TempDir(), Config: o, Concurrency: 1})
	require.NoError(t, err)
	t.Cleanup(func() { envoy.Stop() })
	return envoy
}

func TestAMillionRequestsLeaveMemoryFlat(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		envoy := openLight(t, wasm)
		const step, steps, warm = 100_000, 10, 2
		sizes := []int{residentKiB(t, envoy.Process)}
		for n := range steps {
			report, err := lab.Load{Entry: envoy.Entry, Mix: light, Total: step}.Run(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Failures)
			stats, err := envoy.Quiet(t.Context(), (n+1)*step, time.Minute)
			require.NoError(t, err)
			require.Equal(t, (n+1)*step, stats.Pipeline().Delivered)
			sizes = append(sizes, residentKiB(t, envoy.Process))
		}
		t.Logf("KiB resident, from the start and after each %d requests: %v", step, sizes)
		assert.Less(t, sizes[steps]-sizes[warm], 4<<10, "KiB more after 1,000,000 requests than after 200,000; a leak of 5 bytes a request would be as much")
	})
}

// heap is what a VM of an artifact with the tag heapprobe logs once a second.
type heap struct {
	Serves bool `json:"serves"` // it is a worker's, which sees exchanges
	Live   int  `json:"live"`   // bytes in use after a collection
	Taken  int  `json:"taken"`  // bytes of the VM's memory for the heap
	Micros int  `json:"us"`     // that the collection took
	Tick   int  `json:"tick"`   // microseconds that the longest tick took since the last line
}

func (h heap) live() int   { return h.Live }
func (h heap) micros() int { return h.Micros }
func (h heap) tick() int   { return h.Tick }

func median(all []heap, of func(heap) int) int {
	values := make([]int, len(all))
	for i, h := range all {
		values[i] = of(h)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func heaps(t *testing.T, envoy *lab.Envoy, serves bool) (all []heap) {
	log, err := os.ReadFile(envoy.Log)
	require.NoError(t, err)
	for line := range strings.Lines(string(log)) {
		if _, text, ok := strings.Cut(line, "routelens: heap "); ok {
			var h heap
			require.NoError(t, json.Unmarshal([]byte(text), &h), line)
			if h.Serves == serves {
				all = append(all, h)
			}
		}
	}
	return all
}

// What keeps a worker's thread in the guest, but for an exchange's own callbacks, are ticks and collections.
// How long one takes hangs on the heap and on what is to be flushed, so medians tell them from the machine's
// own pauses.
func TestEachVMsHeapStaysFlatAndIsCollectedQuickly(t *testing.T) {
	for _, wasm := range filepath.SplitList(needed(t, "ROUTELENS_PROBE")) {
		t.Run(filepath.Base(wasm), func(t *testing.T) {
			envoy := openLight(t, wasm)
			const total = 1_000_000
			report, err := lab.Load{Entry: envoy.Entry, Mix: light, Total: total}.Run(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Failures)
			_, err = envoy.Quiet(t.Context(), total, time.Minute)
			require.NoError(t, err)
			for _, serves := range []bool{true, false} {
				all := heaps(t, envoy, serves)
				require.Greater(t, len(all), 20)
				quarter := len(all) / 4
				early, late := median(all[quarter:2*quarter], heap.live), median(all[3*quarter:], heap.live)
				micros := median(all, heap.micros)
				longest := slices.MaxFunc(all, func(a, b heap) int { return a.Micros - b.Micros })
				t.Logf("serves=%v, %d collections: live %d bytes in the second quarter, %d in the last (medians), of %d taken; each took %d us (median), at most %d us; the longest tick of each second %d us (median)",
					serves, len(all), early, late, all[len(all)-1].Taken, micros, longest.Micros, median(all, heap.tick))
				assert.Less(t, late-early, 1<<20, "bytes more in the last quarter of 1,000,000 requests than in the second")
				assert.Less(t, micros, 10_000)
				assert.Less(t, median(all, heap.tick), 10_000)
			}
		})
	}
}
