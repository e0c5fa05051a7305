package main

import (
	"math/rand/v2"
	"time"

	"github.com/routelens/routelens/plugin/capture"
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/encode"
	"github.com/routelens/routelens/plugin/host"
	"github.com/routelens/routelens/plugin/metrics"
	"github.com/routelens/routelens/plugin/queue"
	"github.com/routelens/routelens/plugin/record"
	"github.com/routelens/routelens/plugin/sampling"
)

// worker takes exchanges from their end to the queue.
type worker struct {
	capture   *capture.Capturer
	exchanges *metrics.Exchanges
	series    *metrics.Budget
	adopted   uint64 // how many of the series of all VMs
	pipeline  *metrics.Pipeline
	served    bool // it has seen an exchange

	// With a sink:
	sampler   *sampling.Sampler
	limiter   *sampling.Limiter
	dialect   encode.Dialect
	frames    [queue.Classes]*queue.Builder
	enqueue   func(frame []byte) bool
	maxRecord int // bytes
	fullFrame int // bytes
	fullCount int // records
}

func newWorker(h *host.Host, c *config.Config, id identity, pipeline *metrics.Pipeline) *worker {
	series := metrics.NewBudget(h, seriesKey, c.Metrics.MaxSeries)
	w := &worker{
		capture:   capture.New(h, c, metrics.NewBudget(h, routesKey, c.Routes.Max)),
		exchanges: metrics.NewExchanges(h, c.Metrics.Labels, series),
		series:    series,
		pipeline:  pipeline,
		sampler:   sampling.New(c.Sampling, rand.Uint64()),
		limiter:   sampling.NewLimiter(h, limitKey+id.queue, c.Sampling.MaxPerSecond, time.Now()),
	}
	// Before the first tick: where Envoy is given another filter (as Istio does), not another listener, no drain time keeps the VM before.
	w.adopt(adoptionsAtStart)
	return w
}

// ship makes the worker emit records.
func (w *worker) ship(c *config.Config, enqueue func(frame []byte) bool) {
	w.dialect = encode.New(c)
	w.enqueue = enqueue
	w.maxRecord = c.Sink.Batch.MaxBytes
	w.fullFrame = min(queue.FrameSize, c.Sink.Batch.MaxBytes)
	w.fullCount = c.Sink.Batch.MaxRecords
	for class := range w.frames {
		w.frames[class] = queue.NewBuilder(queue.Class(class))
	}
}

// end takes in a finished exchange. It runs for every one: each host call and
// each allocation here is paid by the proxy's users.
func (w *worker) end(passed *capture.Passed) {
	w.served = true
	r := w.capture.Decide(passed)
	w.exchanges.Observe(r)
	if w.dialect == nil {
		return
	}
	decision, weight := w.sampler.Decide(r)
	if decision.Kept() && !w.limiter.Allow() {
		decision = sampling.Limit
	}
	w.pipeline.Decided(int(decision))
	if !decision.Kept() {
		return
	}
	w.capture.Complete(r, passed)
	w.omitted(&r.RequestContent)
	w.omitted(&r.ResponseContent)
	r.Sampled, r.Weight = decision.String(), weight
	class := queue.Ordinary
	if decision.Important() {
		class = queue.Important
	}
	w.emit(w.frames[class], r)
}

// omitted counts a body that was chosen and is left out of a record.
func (w *worker) omitted(c *record.Content) {
	if c.Omitted != record.NotOmitted {
		w.pipeline.BodyOmitted(int(c.Omitted) - 1)
	}
}

func (w *worker) emit(frame *queue.Builder, r *record.Record) {
	size, stripped := frame.Add(w.dialect, r), 0
	if size > w.maxRecord {
		if stripped = strip(r); stripped > 0 {
			frame.Undo()
			size = frame.Add(w.dialect, r)
		}
	}
	if size > w.maxRecord {
		frame.Undo()
		w.pipeline.Emitted(1)
		w.pipeline.Dropped(metrics.TooLarge, 1)
		return
	}
	for range stripped {
		w.pipeline.BodyOmitted(int(record.NoRoom) - 1)
	}
	if frame.Len() > w.maxRecord && frame.Count() > 1 { // a request takes whole frames: this one must fit
		frame.Undo()
		w.send(frame)
		frame.Add(w.dialect, r)
	}
	if frame.Len() >= w.fullFrame || frame.Count() >= w.fullCount {
		w.send(frame)
	}
}

// strip takes the bodies out of a record that is too large with them, and tells
// how many there were.
func strip(r *record.Record) (bodies int) {
	for _, c := range [...]*record.Content{&r.RequestContent, &r.ResponseContent} {
		if c.Form != record.NoContent {
			*c = record.Content{Omitted: record.NoRoom}
			bodies++
		}
	}
	return bodies
}

// send puts a frame on the queue. Its records count as emitted before anyone can
// take them off, so that emitted is never behind delivered.
func (w *worker) send(frame *queue.Builder) {
	n := frame.Count()
	if n == 0 {
		return
	}
	w.pipeline.Emitted(n)
	if !w.enqueue(frame.Frame()) {
		w.pipeline.Dropped(metrics.QueueError, n)
	}
	frame.Reset()
}

// The most series that are defined at a time, in which a worker serves nobody.
const (
	adoptions        = 64     // on a tick: about 0.2 ms
	adoptionsAtStart = 10_000 // once: twice what metrics.max_series is by default
)

func (w *worker) tick(now time.Time) {
	w.limiter.Tick(now)
	w.flush()
	w.adopt(adoptions)
}

// adopt defines series that other VMs began, at most so many.
func (w *worker) adopt(most int) {
	var series []string
	series, w.adopted = w.series.Names(w.adopted, most)
	for _, labels := range series {
		w.exchanges.Adopt(labels)
	}
}

// flush gives out all that was added up.
func (w *worker) flush() {
	w.exchanges.Flush()
	w.pipeline.Flush()
	if w.dialect != nil {
		for _, frame := range w.frames {
			w.send(frame)
		}
	}
}
