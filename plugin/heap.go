//go:build heapprobe

package main

import (
	"runtime"
	"strconv"
	"time"

	"github.com/routelens/routelens/plugin/host"
)

// Only artifacts for the tests are built with the tag: once a second they log
// what their VM holds, and how long a collection and the longest tick took.

func init() { probe = logHeap }

const ticksBetween = int(time.Second / host.TickPeriod)

var (
	probed  int
	longest time.Duration
)

func logHeap(h *host.Host, serves bool, tick time.Duration) {
	longest = max(longest, tick)
	if probed++; probed%ticksBetween != 0 {
		return
	}
	start := time.Now()
	runtime.GC()
	took := time.Since(start)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.Info(`heap {"serves":` + strconv.FormatBool(serves) + `,"live":` + strconv.FormatUint(m.HeapAlloc, 10) +
		`,"taken":` + strconv.FormatUint(m.HeapSys, 10) + `,"us":` + strconv.FormatInt(took.Microseconds(), 10) +
		`,"tick":` + strconv.FormatInt(longest.Microseconds(), 10) + `}`)
	longest = 0
}
