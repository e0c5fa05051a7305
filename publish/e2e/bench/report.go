package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
)

// report writes the table.
func report(stdout io.Writer, all []contender, subjects []*subject, rounds int) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\tMB\t\tms\tspread\tx %s\tspread\t\n", all[0].name)
	for _, s := range subjects {
		for i, c := range all {
			ratios := make([]float64, len(s.times[i]))
			for round, t := range s.times[i] {
				ratios[round] = t / s.times[0][round]
			}
			fmt.Fprintf(table, "%s\t%.1f\t%s\t%.1f\t%s\t%.2f\t%s\t\n", s.name, float64(s.size)/1e6, c.name,
				median(s.times[i]), spread(s.times[i], 1), median(ratios), spread(ratios, 2))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "\nMedians of %d rounds, %d CPUs, %s/%s; spreads leave out the lowest and the highest tenth of the rounds.\n",
		rounds, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	return err
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is from the first tenth of the values to the last.
func spread(values []float64, digits int) string {
	sorted := slices.Sorted(slices.Values(values))
	off := len(sorted) / 10
	return fmt.Sprintf("%.*f..%.*f", digits, sorted[off], digits, sorted[len(sorted)-1-off])
}
