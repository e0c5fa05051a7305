package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPaceCountsTheWaitForABusyService(t *testing.T) {
	s := &services{}
	defer s.close()
	const stall = 300 * time.Millisecond
	first := true // one connection: no two calls at a time
	address, err := s.serve(func(w http.ResponseWriter, _ *http.Request) {
		if first {
			first = false
			time.Sleep(stall)
		}
		w.Write([]byte("ok"))
	})
	require.NoError(t, err)

	latencies, err := pace(context.Background(), target{address: address}, 1, 100, time.Second/2)
	require.NoError(t, err)
	require.Len(t, latencies, 50, "requests are sent whether or not earlier ones are answered")
	// Those due during the stall waited too: 30 of them, from 300 ms down to 10 ms.
	require.Greater(t, quantile(latencies, 0.75), stall/4)
}

func TestSaturateRefusesAnyAnswerButAWhole200(t *testing.T) {
	s := &services{}
	defer s.close()
	address, err := s.serve(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) })
	require.NoError(t, err)
	n, err := saturate(context.Background(), target{address: address}, 2, time.Second)
	require.Zero(t, n)
	require.ErrorContains(t, err, `the answer was "HTTP/1.1 503 Service Unavailable" instead of 200`)
}
