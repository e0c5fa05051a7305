//go:build istio || gateway

package e2e

import (
	"context"
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/routelens/routelens/envoy/lab"
)

// traffic goes on until it is ended.
type traffic struct {
	stop   context.CancelFunc
	report chan lab.Report
	failed chan error
}

// rate is what a small machine takes beside all that runs here, in requests a second.
const rate = 150

func startTraffic(t testing.TB, load lab.Load) *traffic {
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	tr := &traffic{stop, make(chan lab.Report, 1), make(chan error, 1)}
	if load.Rate == 0 {
		load.Rate = rate
	}
	go func() {
		report, err := load.Run(ctx)
		tr.report <- report
		tr.failed <- err
	}()
	return tr
}

// end holds that no request failed, nor was answered by the proxy itself: with a code that no service here gives.
func (tr *traffic) end(t testing.TB) lab.Report {
	t.Helper()
	tr.stop()
	return tr.wait(t)
}

// wait is end for a load that has one by itself.
func (tr *traffic) wait(t testing.TB) lab.Report {
	t.Helper()
	report := <-tr.report
	require.NoError(t, <-tr.failed)
	require.NotZero(t, report.Sent)
	assert.Empty(t, report.Failures, "requests without a whole answer")
	for outcome, n := range report.Counts {
		assert.Contains(t, answers[path.Base(outcome.Route)], outcome.Code, "%d answers of %s", n, outcome.Route)
	}
	return report
}

// answers are the codes that the shop gives, by route. What Envoy answers for a payment that was cut off is a 503 as well.
var answers = map[string][]string{
	"catalog": {"200"}, "users": {"200", "201"}, "checkout": {"200"}, "payments": {"200", "503"}, "echo": {"200"},
	"events": {"200"}, "ws": {"101"}, "grpc": {"200"}, "unmatched": {"404"},
}
