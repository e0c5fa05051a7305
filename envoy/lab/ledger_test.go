package lab

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kept is a store of so many records of each request.
type kept struct {
	LogStore
	records map[string]int
}

func (k kept) Stored(context.Context, string) (map[string]int, error) { return k.records, nil }

func TestTheLedgerTellsWhatIsMissingDoubledAndOfNobody(t *testing.T) {
	report := Report{Run: newRun(), Sent: 4}
	got, err := ReadLedger(t.Context(), kept{records: map[string]int{report.ID(0): 1, report.ID(2): 2, report.ID(3): 1, report.ID(4): 1}}, report)
	require.NoError(t, err)
	assert.Equal(t, Ledger{Missing: []string{report.ID(1)}, Doubled: []string{report.ID(2)}, Unsent: []string{report.ID(4)}}, got)
}
