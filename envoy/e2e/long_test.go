//go:build long

package e2e

import (
	"context"
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
	if wasm != "" {
		o.Plugin = &config.Plugin{File: wasm, Config: configuration(settings{"headers.request": []string{"user-agent"}})}
	}
	envoy, err := lab.StartEnvoy(t.Context(), lab.EnvoyOptions{Binary: needed(t, "ROUTELENS_ENVOY"), Dir: t.TempDir(), Config: o, Concurrency: 1})
	require.NoError(t, err)
	t.Cleanup(func() { envoy.Stop() })
	return envoy
}

func TestAMillionRequestsLeaveMemoryFlat(t *testing.T) {
	eachArtifact(t, func(t *testing.T, wasm string) {
		envoy := openLight(t, wasm)
		const step, steps, warm = 100_000, 10, 2
		sizes := []int{residentKiB(t, envoy.PID())}
		for n := range steps {
			report, err := lab.Load{Entry: envoy.Entry, Mix: light, Total: step}.Run(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Failures)
			stats, err := envoy.Quiet(t.Context(), (n+1)*step, time.Minute)
			require.NoError(t, err)
			require.Equal(t, (n+1)*step, stats.Pipeline().Delivered)
			sizes = append(sizes, residentKiB(t, envoy.PID()))
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
}

func (h heap) live() int   { return h.Live }
func (h heap) micros() int { return h.Micros }

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

// All that keeps a worker's thread in the guest, but for single callbacks, is a collection: how long one
// takes hangs on the heap alone, so the median tells it from the machine's own pauses.
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
				t.Logf("serves=%v, %d collections: live %d bytes in the second quarter, %d in the last (medians), of %d taken; each took %d us (median), at most %d us",
					serves, len(all), early, late, all[len(all)-1].Taken, micros, longest.Micros)
				assert.Less(t, late-early, 1<<20, "bytes more in the last quarter of 1,000,000 requests than in the second")
				assert.Less(t, micros, 10_000)
			}
		})
	}
}

// An Envoy with the plugin and one without take turns, so that the machine's own pauses meet both.
func TestTheGuestNeverHoldsTheWorkerForLong(t *testing.T) {
	const rounds, roundTime = 10, 5 * time.Second
	eachArtifact(t, func(t *testing.T, wasm string) {
		envoys := []*lab.Envoy{openLight(t, wasm), openLight(t, "")}
		waits := make([][]time.Duration, len(envoys))
		for range rounds {
			for i, envoy := range envoys {
				waits[i] = append(waits[i], probe(t, envoy, roundTime)...)
			}
		}
		with, without := sorted(waits[0]), sorted(waits[1])
		for name, w := range map[string][]time.Duration{"with": with, "without": without} {
			t.Logf("%s the plugin: %d requests, p50 %v, p99 %v, p99.9 %v, p99.99 %v, longest %v; %d took more than 10 ms", name, len(w),
				at(w, .5), at(w, .99), at(w, .999), at(w, .9999), w[len(w)-1], len(w)-overIndex(w))
		}
		for _, q := range []float64{.99, .999, .9999} {
			assert.Less(t, at(with, q)-at(without, q), 10*time.Millisecond, "the plugin's share of the wait at quantile %v", q)
		}
	})
}

// probe times small requests, one after another on one connection, while others load the same worker.
func probe(t *testing.T, envoy *lab.Envoy, d time.Duration) (waits []time.Duration) {
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	loaded := make(chan error, 1)
	go func() {
		_, err := lab.Load{Entry: envoy.Entry, Mix: light, Rate: 1500, Workers: 8}.Run(ctx)
		loaded <- err
	}()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		start := time.Now()
		response, err := client.Get(envoy.Entry + "/teapot")
		require.NoError(t, err)
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		waits = append(waits, time.Since(start))
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, <-loaded)
	return waits
}

func sorted(waits []time.Duration) []time.Duration {
	slices.Sort(waits)
	return waits
}

func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))]
}

// overIndex is where the waits above 10 ms begin.
func overIndex(sorted []time.Duration) int {
	i, _ := slices.BinarySearch(sorted, 10*time.Millisecond)
	return i
}
