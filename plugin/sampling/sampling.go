// Package sampling decides at the end of an exchange whether it becomes a
// record, and why.
package sampling

import (
	"github.com/routelens/routelens/plugin/config"
	"github.com/routelens/routelens/plugin/record"
)

// Decision is what became of an exchange: a closed list, a label of
// routelens_sampling_decisions_total.
type Decision uint8

// The decisions. The first four keep.
const (
	Rate  Decision = iota // chosen by sampling.rate
	Trace                 // its trace is sampled
	Error                 // chosen by sampling.errors
	Slow                  // chosen by sampling.slow
	Skip                  // not chosen
	Limit                 // chosen, but above sampling.max_per_second
	decisions
)

var names = [decisions]string{"rate", "trace", "error", "slow", "skip", "limit"}

func (d Decision) String() string { return names[d] }

// Kept tells whether a record is made.
func (d Decision) Kept() bool { return d < Skip }

// Important tells whether the record outlives ordinary ones when room is short.
func (d Decision) Important() bool { return d == Error || d == Slow }

// Names are all decisions, in order.
func Names() []string { return names[:] }

// Sampler applies the configured rates.
type Sampler struct {
	config config.Sampling
	points *Points
}

// New makes a Sampler; the seed matters only for exchanges without any id.
func New(c config.Sampling, seed uint64) *Sampler {
	return &Sampler{config: c, points: NewPoints(seed)}
}

// Decide gives the decision and the record's weight.
//
// An exchange is kept at the highest rate that applies to it, and stands for
// 1/rate exchanges. One kept only because its trace is sampled stands for none:
// those chosen by rate already stand for it. So the sum of weights estimates the
// number of exchanges, errors and slow ones included, whatever else is kept.
func (s *Sampler) Decide(r *record.Record) (Decision, float64) {
	rate, why := s.config.Rate, Rate
	if s.config.Slow.Rate > rate && r.Duration >= s.config.Slow.Over.Nanoseconds() {
		rate, why = s.config.Slow.Rate, Slow
	}
	if s.config.Errors > rate && r.Failed() {
		rate, why = s.config.Errors, Error
	}
	if rate >= 1 || rate > 0 && s.points.Of(r) < rate {
		return s.name(why, r), 1 / rate
	}
	if s.config.FollowTrace && r.Trace.Sampled() {
		return Trace, 0
	}
	return Skip, 0
}

// name calls an error an error and a slow exchange slow even where the ordinary
// rate alone would have kept it: its record is as important.
func (s *Sampler) name(why Decision, r *record.Record) Decision {
	switch {
	case why != Rate:
		return why
	case s.config.Errors > 0 && r.Failed():
		return Error
	case s.config.Slow.Rate > 0 && r.Duration >= s.config.Slow.Over.Nanoseconds():
		return Slow
	}
	return Rate
}
