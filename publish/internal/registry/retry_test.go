package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOnlyFailuresThatMayPassAreRepeated(t *testing.T) {
	for status, again := range map[int]bool{200: false, 401: false, 404: false, 408: true, 409: false, 413: false, 429: true, 500: true, 501: false, 502: true, 503: true, 504: true, 507: false} {
		wait, err := DefaultBackoff.Retry(0, &http.Response{StatusCode: status}, nil)
		assert.NoError(t, err)
		assert.Equal(t, again, wait >= 0, "%d", status)
	}
	for cause, again := range map[error]bool{
		io.EOF: true, io.ErrUnexpectedEOF: true, syscall.ECONNRESET: true, syscall.EPIPE: true, syscall.ECONNREFUSED: false,
		context.Canceled: false, context.DeadlineExceeded: false, errors.New("x509: unknown authority"): false,
	} {
		wait, _ := DefaultBackoff.Retry(0, nil, cause)
		assert.Equal(t, again, wait >= 0, "%v", cause)
	}
}

func TestEachWaitIsLongerUntilThereAreEnough(t *testing.T) {
	b := Backoff{Retries: 4, First: 100 * time.Millisecond, Longest: 300 * time.Millisecond, Patience: time.Minute}
	for attempt, about := range []time.Duration{100, 200, 300, 300} {
		wait := b.pause(attempt, 0)
		assert.InDelta(t, about*time.Millisecond, wait, float64(about*time.Millisecond)/4)
	}
	assert.Negative(t, b.pause(4, 0))
}

func TestRetryAfterDecidesWithinReason(t *testing.T) {
	b := DefaultBackoff
	answer := func(after string) *http.Response {
		return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {after}}}
	}
	wait, _ := b.Retry(0, answer("30"), nil)
	assert.Equal(t, 30*time.Second, wait)
	wait, _ = b.Retry(0, answer(time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), nil)
	assert.InDelta(t, 20*time.Second, wait, float64(2*time.Second))
	for _, nonsense := range []string{"", "soon", "-5", "1e9", "Mon, 01 Jan 1990 00:00:00 GMT"} {
		wait, _ = b.Retry(0, answer(nonsense), nil)
		assert.InDelta(t, b.First, wait, float64(b.First)/2, nonsense)
	}
	wait, _ = b.Retry(0, answer("3600"), nil)
	assert.Negative(t, wait, "nobody waits for an hour")
}
