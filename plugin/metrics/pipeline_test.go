package metrics

import (
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestThePipelinesStatsAreThereFromTheStart(t *testing.T) {
	p := newProxy()
	NewPipeline(p, []string{"rate", "skip"}, []string{"stream", "ratio"})
	NewExchanges(p, nil, everything)
	want := map[string]Kind{}
	for _, m := range All() {
		switch {
		case len(m.Labels) == 0:
			want[m.Name] = m.Kind
		case m.Name == BodiesOmitted:
			want[Label(LabelReason, "stream")+m.Name], want[Label(LabelReason, "ratio")+m.Name] = m.Kind, m.Kind
		case m.Labels[0] == LabelReason:
			for _, reason := range Reasons() {
				want[Label(LabelReason, reason)+m.Name] = m.Kind
			}
		case m.Labels[0] == LabelDecision:
			want[Label(LabelDecision, "rate")+m.Name], want[Label(LabelDecision, "skip")+m.Name] = m.Kind, m.Kind
		}
	}
	got := map[string]Kind{}
	for id, name := range p.names {
		got[name] = p.kinds[id]
	}
	assert.Equal(t, want, got)
}

func TestThePipelineCounts(t *testing.T) {
	p := newProxy()
	x := NewPipeline(p, []string{"rate", "skip"}, []string{"stream", "ratio"})
	x.Emitted(3)
	x.Emitted(0)
	x.Delivered(2)
	x.Unconfirmed(1)
	x.Retried()
	x.CollectorChanged()
	x.Dropped(CollectorLost, 4)
	x.Dropped(BufferFull, 0)
	x.BodyOmitted(1)
	x.Decided(1)
	x.Decided(1)
	x.Answered(12)
	x.Waiting(100, 5)
	x.Limits(8000, 500)
	x.Flush()
	x.Flush()
	assert.Equal(t, map[string]uint64{
		Emitted: 3, Delivered: 2, Unconfirmed: 1, Retries: 1, CollectorChanges: 1,
		Label(LabelReason, "collector_lost") + Dropped: 4, Label(LabelDecision, "skip") + Decisions: 2,
		Label(LabelReason, "ratio") + BodiesOmitted: 1,
	}, p.counts)
	assert.Equal(t, map[string][]uint64{ExportDuration: {12}, WaitingBytes: {100}, WaitingRecords: {5}, LimitBytes: {8000}, SeriesLimit: {500}}, p.values)
}

func TestEveryReasonHasAWordOfItsOwn(t *testing.T) {
	words := append([]string{}, Reasons()...)
	assert.Len(t, words, int(reasons))
	sort.Strings(words)
	for i, word := range words {
		assert.NotEmpty(t, word)
		assert.False(t, i > 0 && words[i-1] == word)
	}
}

func TestNoLabelsNameEndsInAnothers(t *testing.T) {
	for _, a := range extracted() {
		for _, b := range extracted() {
			assert.False(t, a != b && len(a) > len(b) && a[len(a)-len(b):] == b, "Envoy's expression for %s would take from %s", b, a)
		}
	}
}
