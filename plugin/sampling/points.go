package sampling

import "github.com/routelens/routelens/plugin/record"

// Points place exchanges in [0,1): what lies below a rate is chosen by it. Bodies
// are chosen by the same points as records, so that both fall on the same exchanges.
type Points struct{ state uint64 }

// NewPoints makes Points; the seed matters only for exchanges without any id.
func NewPoints(seed uint64) *Points { return &Points{seed | 1} }

// Of places an exchange: all proxies that see its trace, or its request id, place
// it alike. One without any id is placed at random, once: see [record.Record].Drawn.
func (p *Points) Of(r *record.Record) float64 {
	id := r.Trace.TraceID
	if id == "" {
		id = r.RequestID
	}
	if id != "" {
		return point(hash(id))
	}
	for r.Drawn == 0 {
		p.state ^= p.state << 13
		p.state ^= p.state >> 7
		p.state ^= p.state << 17
		r.Drawn = point(p.state)
	}
	return r.Drawn
}

func point(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// hash is FNV-1a with the finalizer of MurmurHash3: FNV alone spreads ids that
// differ in their last digits badly over the high bits.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
