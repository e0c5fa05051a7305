package lab

import "context"

// Ledger is a run's requests next to the records in a store, where one record of each is to be. All are ids.
type Ledger struct {
	Missing []string
	Doubled []string // or more
	Unsent  []string // of the run by their names, but nobody sent them
}

// ReadLedger looks every request of a run up.
func ReadLedger(ctx context.Context, logs LogStore, report Report) (l Ledger, err error) {
	stored, err := logs.Stored(ctx, report.Run)
	if err != nil {
		return l, err
	}
	for n := range report.Sent {
		id := report.ID(n)
		switch stored[id] {
		case 0:
			l.Missing = append(l.Missing, id)
		case 1:
		default:
			l.Doubled = append(l.Doubled, id)
		}
		delete(stored, id)
	}
	for id := range stored {
		l.Unsent = append(l.Unsent, id)
	}
	return l, nil
}

// Examples keeps a failed test's output short.
func Examples(ids []string) []string { return ids[:min(5, len(ids)):min(5, len(ids))] }
