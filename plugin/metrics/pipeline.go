package metrics

// Pipeline is the stats of the pipeline itself, all defined at once, so that
// each is there, at zero, from the first scrape on.
type Pipeline struct {
	stats     Stats
	counters  map[string]uint32
	dropped   [reasons]uint32
	decisions []uint32
	omitted   []uint32
	pending   []uint64 // decisions not yet flushed
	duration  uint32
	bytes     uint32
	records   uint32
	room      uint32
	series    uint32
}

// NewPipeline defines the stats. The decisions are the sampler's list, the
// omissions the record's.
func NewPipeline(stats Stats, decisions, omissions []string) *Pipeline {
	p := &Pipeline{
		stats:    stats,
		counters: map[string]uint32{},
		duration: stats.Define(Histogram, ExportDuration),
		bytes:    stats.Define(Gauge, WaitingBytes),
		records:  stats.Define(Gauge, WaitingRecords),
		room:     stats.Define(Gauge, LimitBytes),
		series:   stats.Define(Gauge, SeriesLimit),
		pending:  make([]uint64, len(decisions)),
	}
	for _, name := range []string{Emitted, Delivered, Unconfirmed, Retries, CollectorChanges} {
		p.counters[name] = stats.Define(Counter, name)
	}
	for r := range reasons {
		p.dropped[r] = stats.Define(Counter, Label(LabelReason, r.String())+Dropped)
	}
	for _, o := range omissions {
		p.omitted = append(p.omitted, stats.Define(Counter, Label(LabelReason, o)+BodiesOmitted))
	}
	for _, d := range decisions {
		p.decisions = append(p.decisions, stats.Define(Counter, Label(LabelDecision, d)+Decisions))
	}
	return p
}

// Decided counts a sampling decision, to be flushed on the next tick.
func (p *Pipeline) Decided(decision int) { p.pending[decision]++ }

// Flush gives the proxy the decisions counted.
func (p *Pipeline) Flush() {
	for i, n := range p.pending {
		if n > 0 {
			p.stats.Increment(p.decisions[i], n)
			p.pending[i] = 0
		}
	}
}

func (p *Pipeline) Emitted(n int)      { p.count(Emitted, n) }
func (p *Pipeline) Delivered(n int)    { p.count(Delivered, n) }
func (p *Pipeline) Unconfirmed(n int)  { p.count(Unconfirmed, n) }
func (p *Pipeline) Retried()           { p.count(Retries, 1) }
func (p *Pipeline) CollectorChanged()  { p.count(CollectorChanges, 1) }
func (p *Pipeline) Answered(ms uint64) { p.stats.Record(p.duration, ms) }

// Dropped counts records given up.
func (p *Pipeline) Dropped(why Reason, n int) {
	if n > 0 {
		p.stats.Increment(p.dropped[why], uint64(n))
	}
}

// BodyOmitted counts a body that was left out, for the n-th of the omissions.
func (p *Pipeline) BodyOmitted(n int) { p.stats.Increment(p.omitted[n], 1) }

// Waiting sets what the collector holds.
func (p *Pipeline) Waiting(bytes, records int) {
	p.stats.Record(p.bytes, uint64(bytes))
	p.stats.Record(p.records, uint64(records))
}

// Limits sets what the collector and the series of exchanges are bounded by.
func (p *Pipeline) Limits(bytes, series int) {
	p.stats.Record(p.room, uint64(bytes))
	p.stats.Record(p.series, uint64(series))
}

func (p *Pipeline) count(name string, n int) {
	if n > 0 {
		p.stats.Increment(p.counters[name], uint64(n))
	}
}
