package lab

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLoadSendsTheExactMix(t *testing.T) {
	shop, err := OpenShop()
	require.NoError(t, err)
	defer shop.Close()
	mix := []Share{
		{Get("catalog", "/catalog"), 5},
		{Get("users", "/users/{n}"), 3},
		{Send("payments", http.MethodPost, "/payments", "{}"), 2},
		{Send("echo", http.MethodPut, "/echo", "hello"), 1},
		{Get("events", "/events?n=2&every=1ms"), 1},
		{TalkWebSocket("hello"), 1},
	}
	for _, http2 := range []bool{false, true} {
		report, err := Load{Entry: "http://" + shop.address, Mix: mix, Total: 13 * 50, Workers: 4, HTTP2: http2}.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, 650, report.Sent)
		require.Equal(t, map[Outcome]int{
			{"catalog", "200"}: 250, {"users", "200"}: 150, {"echo", "200"}: 50, {"events", "200"}: 50, {"ws", "101"}: 50,
			{"payments", "200"}: 94, {"payments", "503"}: 5, {"payments", "0"}: 1,
		}, report.Counts)
		require.Len(t, report.Failures, 1, "the reset payment: there is no Envoy that would make a 503 of it")
		require.Len(t, report.Latencies["catalog"], 250)
		require.GreaterOrEqual(t, report.Quantile("events", 1), report.Quantile("events", 0.5))
	}
}

func TestLoadSpeaksGRPC(t *testing.T) {
	shop, err := OpenShop()
	require.NoError(t, err)
	defer shop.Close()
	mix := []Share{{SayGRPC("hello"), 1}, {SayGRPC("missing"), 1}, {ChatGRPC("hello", "goodbye"), 1}}
	report, err := Load{Entry: "http://" + shop.grpcAddress, Mix: mix, Total: 30}.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Failures)
	require.Equal(t, map[Outcome]int{{"grpc", "200"}: 30}, report.Counts)
}

func TestLoadKeepsItsRateUntilTheContextEnds(t *testing.T) {
	shop, err := OpenShop()
	require.NoError(t, err)
	defer shop.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	report, err := Load{Entry: "http://" + shop.address, Mix: []Share{{Get("catalog", "/catalog"), 1}}, Rate: 100}.Run(ctx)
	require.NoError(t, err)
	require.Empty(t, report.Failures)
	require.InDelta(t, 50, report.Sent, 2)
}

func TestRequestIDsAreUUIDsThatCount(t *testing.T) {
	report := Report{Run: newRun()}
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-000000000042$`, report.ID(42))
	require.NotEqual(t, newRun(), newRun())
	require.Equal(t, "/users/42", numbered("/users/{n}", report.ID(142)))
}

func TestMixIsSpreadEvenly(t *testing.T) {
	var routes []string
	for _, call := range interleave([]Share{{Get("a", "/"), 4}, {Get("b", "/"), 2}}) {
		routes = append(routes, call.Route)
	}
	require.Equal(t, []string{"a", "b", "a", "a", "b", "a"}, routes)
}

func TestTheRateSwingsAroundItsMean(t *testing.T) {
	load := Load{Rate: 100, Swing: 0.5}
	start := time.Unix(0, 0)
	within := func(from, to time.Duration) (n int) {
		for due := int64(0); ; due++ {
			switch at := load.due(start, due).Sub(start); {
			case at >= to:
				return n
			case at >= from:
				n++
			}
		}
	}
	require.InDelta(t, 12000, within(0, 2*time.Minute), 2, "the mean of a whole swing is the rate")
	require.InDelta(t, 1500, within(25*time.Second, 35*time.Second), 10)
	require.InDelta(t, 500, within(85*time.Second, 95*time.Second), 10)
	require.Equal(t, start.Add(time.Second), Load{Rate: 100}.due(start, 100), "without a swing it is even")
}
