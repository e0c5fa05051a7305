package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"
)

// hostCalls are how often the plugin called its host while some requests passed, as Envoy logs them.
type hostCalls struct {
	requests int
	byName   map[string]int // calls in the callbacks of requests
	reads    int            // times that the host called back for memory, to give data to one of them
	others   int            // calls in ticks, from the queue and in answers to the plugin's own calls
	window   time.Duration
	idle     float64 // others a second while there are no requests
}

func (h *hostCalls) perRequest() float64 {
	n := 0
	for _, calls := range h.byName {
		n += calls
	}
	return float64(n) / float64(h.requests)
}

func (h *hostCalls) readsPerRequest() float64 { return float64(h.reads) / float64(h.requests) }

// laterPerRequest are the calls that requests cause beside their own callbacks: what is added up is
// given out in ticks. What ticks do anyway is taken off.
func (h *hostCalls) laterPerRequest() float64 {
	return max(0, float64(h.others)-h.idle*h.window.Seconds()) / float64(h.requests)
}

// Requests to count host calls of, and how many a second.
const (
	countedRate     = 100
	countedRequests = 200
)

// countHostCalls runs each plugin once more, in an Envoy that logs every call, for a few requests.
func countHostCalls(ctx context.Context, o options, f fleet, services *services, dir string, say func(string, ...any)) error {
	for i, s := range f {
		if s.artifact == "" {
			continue
		}
		say("Counting host calls: %s.", s.name)
		calls, err := countOf(ctx, o, s.variant, services, fmt.Sprintf("%s-%d", dir, i))
		if err != nil {
			return fmt.Errorf("counting the host calls of %s: %w", s.name, err)
		}
		s.calls = calls
	}
	return nil
}

func countOf(ctx context.Context, o options, v variant, services *services, dir string) (*hostCalls, error) {
	s, err := startSubject(ctx, o, v, services, dir, "--component-log-level", "wasm:trace")
	if err != nil {
		return nil, err
	}
	defer s.envoy.Stop()
	// The first request defines metrics, and the first tick looks for the queue.
	if _, err := pace(ctx, s.target(), 1, countedRate, time.Second/2); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	log, err := os.Open(s.envoy.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if _, err := log.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	start := time.Now()
	time.Sleep(settle)
	idle, err := parseCalls(log)
	if err != nil {
		return nil, err
	}
	idleRate := float64(idle.others) / time.Since(start).Seconds()
	start = time.Now()
	if _, err := pace(ctx, s.target(), 1, countedRate, countedRequests*time.Second/countedRate); err != nil {
		return nil, err
	}
	time.Sleep(settle) // the last tick with something to give out, and the last batch
	calls, err := parseCalls(log)
	if err != nil {
		return nil, err
	}
	calls.window, calls.idle = time.Since(start), idleRate
	return calls, equal("requests that Envoy's trace log tells of", calls.requests, countedRequests)
}

var traced = regexp.MustCompile(`^\[[^]]+\]\[(\d+)\]\[trace\]\[wasm\] .*\[(host->vm|host<-vm|vm->host)\] (\w+\.)?(\w+)`)

// elsewhere are the callbacks that belong to no request.
var elsewhere = map[string]bool{"proxy_on_tick": true, "proxy_on_queue_ready": true, "proxy_on_http_call_response": true}

// parseCalls reads Envoy's trace log: who called whom, on which thread.
func parseCalls(log io.Reader) (*hostCalls, error) {
	h := &hostCalls{byName: map[string]int{}}
	callbacks := map[string][]string{} // by thread, those that are under way
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := traced.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		thread, direction, name := m[1], m[2], m[4]
		within := callbacks[thread]
		ofRequest := len(within) > 0 && !elsewhere[within[0]]
		switch {
		case direction == "host->vm":
			callbacks[thread] = append(within, name)
			if name == "proxy_on_log" {
				h.requests++
			}
			if name == "proxy_on_memory_allocate" && ofRequest {
				h.reads++
			}
		case direction == "host<-vm" && len(within) > 0:
			callbacks[thread] = within[:len(within)-1]
		case direction == "vm->host" && ofRequest:
			h.byName[name]++
		case direction == "vm->host" && len(within) > 0:
			h.others++
		}
	}
	return h, lines.Err()
}
