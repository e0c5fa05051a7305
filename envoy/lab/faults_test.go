package lab

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFaultsMeetRequestsBeforeTheStoreDoes(t *testing.T) {
	var stored atomic.Int64
	store := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stored.Add(1) }))
	defer store.Close()
	faults, err := StartFaults(strings.TrimPrefix(store.URL, "http://"))
	require.NoError(t, err)
	defer faults.Stop()
	caller := &http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	post := func() (*http.Response, error) {
		return caller.Post("http://"+faults.Address, "application/json", strings.NewReader("{}"))
	}

	for fault, want := range map[Fault]any{
		Pass: 200, TooMany: 429, ServerError: 500, Hang: "deadline exceeded", Close: "EOF", Down: "connection refused",
	} {
		t.Run(string(fault), func(t *testing.T) {
			stored.Store(0)
			require.NoError(t, faults.Set(fault))
			response, err := post()
			if text, fails := want.(string); fails {
				require.ErrorContains(t, err, text)
			} else {
				require.NoError(t, err)
				require.Equal(t, want, response.StatusCode)
				require.Equal(t, fault == TooMany, response.Header.Get("Retry-After") == "1")
			}
			require.Equal(t, fault == Pass, stored.Load() == 1)

			require.NoError(t, faults.Set(Pass))
			_, err = post()
			require.NoError(t, err, "the store is back")
		})
	}
	require.Equal(t, 7, faults.Requests()[Pass])
	require.Equal(t, 1, faults.Requests()[Hang])
}

func TestFaultsLetGoOfHangingRequestsAtStop(t *testing.T) {
	faults, err := StartFaults("127.0.0.1:1")
	require.NoError(t, err)
	require.NoError(t, faults.Set(Hang))
	answered := make(chan error)
	go func() {
		_, err := http.Post("http://"+faults.Address, "", nil)
		answered <- err
	}()
	require.Eventually(t, func() bool { return faults.Requests()[Hang] == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, faults.Stop())
	require.Error(t, <-answered)
	require.NoError(t, faults.Stop(), "twice does no harm")
}
