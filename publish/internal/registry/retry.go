package registry

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Backoff says how often, and after what time, a request is sent again that failed for a reason that may pass: 408, 429, any 5xx and a
// connection that broke.
//
// It takes the place of oras-go's own policy, which honours Retry-After with 429 alone, only in seconds, and never for more than 3 s: a
// registry that asks for half a minute would be asked five times within it, and then given up.
type Backoff struct {
	Retries  int           // after the first try
	First    time.Duration // the time before the first retry; it doubles with each
	Longest  time.Duration
	Patience time.Duration // the longest Retry-After that is waited for
}

// DefaultBackoff takes 8 s in all, if the registry does not ask for more.
var DefaultBackoff = Backoff{Retries: 5, First: 250 * time.Millisecond, Longest: 5 * time.Second, Patience: time.Minute}

// giveUp is what the policy's interface wants to hear.
const giveUp = -1

// Retry implements [retry.Policy].
func (b Backoff) Retry(attempt int, resp *http.Response, err error) (time.Duration, error) {
	if err != nil {
		if broken(err) {
			return b.pause(attempt, 0), nil
		}
		return giveUp, err
	}
	if !passing(resp.StatusCode) {
		return giveUp, nil
	}
	return b.pause(attempt, retryAfter(resp)), nil
}

func (b Backoff) pause(attempt int, asked time.Duration) time.Duration {
	if attempt >= b.Retries || asked > b.Patience {
		return giveUp
	}
	wait := min(b.First<<attempt, b.Longest)
	wait += time.Duration((rand.Float64() - 0.5) * 0.4 * float64(wait)) // so that many who failed together do not come back together
	return max(wait, asked)
}

// passing tells whether the reason for a status may pass by itself.
func passing(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests ||
		status >= 500 && status != http.StatusNotImplemented && status != http.StatusInsufficientStorage
}

// broken tells whether a connection broke after it had been there. One that was refused will be again.
func broken(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &network) && network.Timeout() || strings.Contains(err.Error(), "server closed idle connection")
}

// retryAfter reads the header in both its forms, seconds and a date.
func retryAfter(resp *http.Response) time.Duration {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return time.Until(date)
	}
	return 0
}

// asked is where the transport leaves what Retry-After said to a request that it does not repeat by itself.
type asked struct{ after time.Duration }

type askedKey struct{}

// patient repeats requests, but for uploads of content: after one that failed, the upload itself may be gone, so [Store] begins anew.
func patient(base http.RoundTripper, b Backoff) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if !uploads(req) {
			return (&retry.Transport{Base: base, Policy: func() retry.Policy { return b }}).RoundTrip(req)
		}
		resp, err := base.RoundTrip(req)
		if a, ok := req.Context().Value(askedKey{}).(*asked); ok && err == nil {
			a.after = retryAfter(resp)
		}
		return resp, err
	})
}

// uploads tells whether a request carries content of a blob.
func uploads(req *http.Request) bool {
	return (req.Method == http.MethodPut || req.Method == http.MethodPatch) && !strings.Contains(req.URL.Path, "/manifests/")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// again runs an upload until it succeeds, fails for good or has failed too often.
func (b Backoff) again(ctx context.Context, upload func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		a := &asked{}
		err := upload(context.WithValue(ctx, askedKey{}, a))
		if err == nil || ctx.Err() != nil || !mayPass(err) {
			return err
		}
		wait := b.pause(attempt, a.after)
		if wait < 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// mayPass tells whether an upload that failed so may succeed when it is begun anew.
func mayPass(err error) bool {
	var answer *errcode.ErrorResponse
	if !errors.As(err, &answer) {
		return broken(err)
	}
	for _, e := range answer.Errors {
		if e.Code == errcode.ErrorCodeBlobUploadUnknown || e.Code == errcode.ErrorCodeBlobUploadInvalid {
			return true // the registry forgot the upload
		}
	}
	return passing(answer.StatusCode)
}
