package queue

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/routelens/routelens/plugin/shared"
)

// Holding is what a collector has taken off the queue and not yet settled, in
// records.
type Holding struct {
	Waiting  uint32 // not sent
	InFlight uint32 // sent, no answer yet
}

// The roster of a queue is one value in shared data: a row for each context that
// collects, or did and still holds records. It answers who collects now, and what
// became of the records of one that vanished with its VM: what it had sent is
// unconfirmed, what it had not is lost.
//
// The row of the collector is its lease. It renews it on every tick; when it has
// not for [leaseTime], another context takes over, and the old row stays on as
// leaving, in case its owner was only held up. A leaving row that is not renewed
// for [deadTime] is struck off, and its records are counted by who strikes it.
// Whoever comes back after that finds no row, and must forget what it holds.
//
// Builds of every [Format] strike off what the others leave behind: a row is to
// stay as it is.
const (
	leaseTime = 700 * time.Millisecond
	deadTime  = 30 * time.Second // Envoy compiles new code on a thread that collects: 3 s, or on a busy machine 14
	maxRows   = 32
	rowSize   = 8 + 8 + 1 + 4 + 4
)

type row struct {
	owner   uint64
	seen    int64 // Unix ns
	leaving bool
	patient bool // its owner would rather not collect
	holding Holding
}

func (r row) quietFor(d time.Duration, now time.Time) bool {
	age := now.UnixNano() - r.seen
	return age > d.Nanoseconds() || age < -d.Nanoseconds() // a clock may be set back
}

// Roster is one context's view of the roster.
type Roster struct {
	data   shared.Data
	key    string
	self   uint64
	vacant time.Time // since when nobody is seen to collect
}

// NewRoster joins the roster kept under key, as self: a number nobody else has.
func NewRoster(data shared.Data, key string, self uint64) *Roster {
	shared.Ensure(data, key, encode(nil))
	return &Roster{data: data, key: key, self: self}
}

// Standing is where a context stands after a tick.
type Standing struct {
	Collecting bool      // it is the collector
	Won        bool      // it has just become so
	Struck     bool      // it was struck off: what it held is counted already
	Vacant     bool      // nobody collects
	Orphans    []Holding // of rows that it struck off
}

// Tick renews or takes the lease. A context that should rather not collect is
// patient: it waits so much longer after the lease ran out, and one that is not
// takes it back from it at once.
func (r *Roster) Tick(now time.Time, holds Holding, patience time.Duration) (s Standing) {
	changed := shared.Update(r.data, r.key, func(value []byte) ([]byte, bool) {
		rows := decode(value)
		var next []row
		next, s = r.turn(rows, now, holds, patience)
		return encode(next), !slices.Equal(rows, next)
	})
	if !changed && (s.Won || len(s.Orphans) > 0) { // others were faster, again and again
		return Standing{Struck: s.Struck}
	}
	return s
}

// turn gives the rows after this context's tick.
func (r *Roster) turn(rows []row, now time.Time, holds Holding, patience time.Duration) (next []row, s Standing) {
	mine, lease := find(rows, r.self), collector(rows)
	if holds != (Holding{}) && mine < 0 {
		s.Struck, holds = true, Holding{}
	}
	collecting := lease >= 0 && lease == mine
	live := lease >= 0 && !rows[lease].quietFor(leaseTime, now)
	s.Vacant = !collecting && !live
	if !s.Vacant {
		r.vacant = time.Time{}
	} else if r.vacant.IsZero() {
		r.vacant = now
	}
	if s.Vacant && now.Sub(r.vacant) >= patience || live && !collecting && patience == 0 && rows[lease].patient {
		collecting, s.Won, s.Vacant, r.vacant = true, true, false, time.Time{}
	}
	s.Collecting = collecting

	for i, row := range rows {
		switch {
		case i == mine: // written anew below
		case collecting && row.quietFor(deadTime, now):
			s.Orphans = append(s.Orphans, row.holding)
		default:
			row.leaving = row.leaving || collecting
			next = append(next, row)
		}
	}
	if collecting || mine >= 0 && holds != (Holding{}) {
		next = append(next, row{r.self, now.UnixNano(), !collecting, patience > 0, holds})
	}
	for len(next) > maxRows { // the one that was seen longest ago goes
		s.Orphans = append(s.Orphans, next[0].holding)
		next = next[1:]
	}
	return next, s
}

// Report tells what is held now. A context that is leaving gives up the lease
// with it, and its row once it holds nothing. Report tells whether the context
// may go on collecting: one whose lease another took, as its clock was set back
// or lagged behind, must not wait for its next tick to know. One that was struck
// off has no row: what it last reported is counted.
func (r *Roster) Report(now time.Time, holds Holding, leaving bool) (collecting, struck bool) {
	shared.Update(r.data, r.key, func(value []byte) ([]byte, bool) {
		rows := decode(value)
		mine := find(rows, r.self)
		if struck = mine < 0; struck {
			collecting = false
			return nil, false
		}
		collecting = !leaving && !rows[mine].leaving
		leaving := leaving || rows[mine].leaving
		rows[mine] = row{r.self, now.UnixNano(), leaving, rows[mine].patient, holds}
		if leaving && holds == (Holding{}) {
			rows = slices.Delete(rows, mine, mine+1)
		}
		return encode(rows), true
	})
	return collecting, struck
}

// Live tells whether some other context collects.
func (r *Roster) Live(now time.Time) bool {
	value, _ := r.data.Get(r.key)
	rows := decode(value)
	at := collector(rows)
	return at >= 0 && rows[at].owner != r.self && !rows[at].quietFor(leaseTime, now)
}

// Quiet tells whether nobody on a roster has moved for so long.
func Quiet(data shared.Data, key string, now time.Time, d time.Duration) bool {
	value, _ := data.Get(key)
	return quiet(decode(value), now, d)
}

func quiet(rows []row, now time.Time, d time.Duration) bool {
	return !slices.ContainsFunc(rows, func(r row) bool { return !r.quietFor(d, now) })
}

// Strike strikes everyone off a roster, and tells what they held, unless somebody
// on it has moved in so long.
func Strike(data shared.Data, key string, now time.Time, d time.Duration) (orphans []Holding, struck bool) {
	struck = shared.Update(data, key, func(value []byte) ([]byte, bool) {
		orphans = nil
		rows := decode(value)
		for _, row := range rows {
			orphans = append(orphans, row.holding)
		}
		return encode(nil), quiet(rows, now, d)
	})
	if !struck {
		return nil, false
	}
	return orphans, true
}

func find(rows []row, owner uint64) int {
	return slices.IndexFunc(rows, func(r row) bool { return r.owner == owner })
}

func collector(rows []row) int {
	return slices.IndexFunc(rows, func(r row) bool { return !r.leaving })
}

// The bits of a row's flags.
const (
	isLeaving = 1 << iota
	isPatient
)

// version begins the value, so that it is never empty.
const version = 1

func encode(rows []row) []byte {
	value := append(make([]byte, 0, 1+len(rows)*rowSize), version)
	for _, r := range rows {
		value = binary.LittleEndian.AppendUint64(value, r.owner)
		value = binary.LittleEndian.AppendUint64(value, uint64(r.seen))
		flags := byte(0)
		if r.leaving {
			flags |= isLeaving
		}
		if r.patient {
			flags |= isPatient
		}
		value = append(value, flags)
		value = binary.LittleEndian.AppendUint32(value, r.holding.Waiting)
		value = binary.LittleEndian.AppendUint32(value, r.holding.InFlight)
	}
	return value
}

// decode reads the rows; what is not whole is not ours, and no row.
func decode(value []byte) []row {
	if len(value)%rowSize != 1 || value[0] != version {
		return nil
	}
	value = value[1:]
	rows := make([]row, 0, len(value)/rowSize+1)
	for ; len(value) > 0; value = value[rowSize:] {
		rows = append(rows, row{
			owner:   binary.LittleEndian.Uint64(value),
			seen:    int64(binary.LittleEndian.Uint64(value[8:])),
			leaving: value[16]&isLeaving != 0,
			patient: value[16]&isPatient != 0,
			holding: Holding{binary.LittleEndian.Uint32(value[17:]), binary.LittleEndian.Uint32(value[21:])},
		})
	}
	return rows
}
