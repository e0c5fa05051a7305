package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckoutHasOrdersPaidInTheSameTrace(t *testing.T) {
	shop := httptest.NewUnstartedServer(nil)
	traces := make(chan string, 40)
	services := services("http://" + shop.Listener.Addr().String())
	shop.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/payments" {
			traces <- r.Header.Get("traceparent")
		}
		services.ServeHTTP(w, r)
	})
	shop.Start()
	defer shop.Close()
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	statuses := map[int]int{}
	for range 40 {
		status, err := call(t.Context(), http.MethodPost, shop.URL+"/checkout", trace)
		require.NoError(t, err)
		statuses[status]++
		assert.Equal(t, trace, <-traces)
	}
	assert.Equal(t, map[int]int{http.StatusOK: 38, http.StatusServiceUnavailable: 2}, statuses)
}

func TestTheVisitorCallsEachServiceInTurnUntilTheEnd(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	calls := make(chan string, 100)
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if calls <- r.Method + " " + r.URL.Path; len(calls) == 4 {
			stop()
		}
	}))
	defer shop.Close()
	visitor(ctx, []string{shop.URL + "/catalog", shop.URL + "/checkout"}, 1000)
	for _, want := range []string{"GET /catalog", "POST /checkout", "GET /catalog", "POST /checkout"} {
		assert.Equal(t, want, <-calls)
	}
}
