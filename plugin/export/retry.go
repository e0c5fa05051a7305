package export

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/routelens/routelens/plugin/config"
)

// backoff says when the sink may be asked again. Its state is the sink's, not a
// batch's: while it is in trouble one request at a time feels its way.
type backoff struct {
	config   config.Retry
	random   func() float64 // in [0,1)
	failures int
	last     time.Time // when it last failed
	resume   time.Time
}

// fail notes a failure of a request that was sent at a time. Those that were
// under way together count as one. A sink that took a part is there: waits for it
// do not grow, as it may be one record that it will never take.
func (b *backoff) fail(sent, now time.Time, retryAfter time.Duration, partly bool) {
	if b.failures == 0 || sent.After(b.last) {
		b.failures++
	}
	if partly {
		b.failures = 1
	}
	b.last = now
	wait := time.Duration(b.random() * float64(b.ceiling())) // full jitter
	if retryAfter > 0 {
		wait += retryAfter
	}
	if resume := now.Add(wait); resume.After(b.resume) {
		b.resume = resume
	}
}

// ceiling is the longest wait after so many failures.
func (b *backoff) ceiling() time.Duration {
	ceiling := b.config.Initial
	for range b.failures - 1 {
		if ceiling *= 2; ceiling >= b.config.Max {
			return b.config.Max
		}
	}
	return min(ceiling, b.config.Max)
}

// succeed notes an answer to a request that was sent at a time. One that was
// under way before the sink failed says nothing of how it is now: what the sink
// asked for with Retry-After holds.
func (b *backoff) succeed(sent time.Time) {
	if !sent.Before(b.last) {
		b.failures, b.resume = 0, time.Time{}
	}
}

// allowed is how many requests may be under way now.
func (b *backoff) allowed(now time.Time, most int) int {
	switch {
	case now.Before(b.resume):
		return 0
	case b.failures > 0:
		return 1
	}
	return most
}

// maxRetryAfter caps what a sink may ask for.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After header: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(headers [][2]string, now time.Time) time.Duration {
	for _, h := range headers {
		if !strings.EqualFold(h[0], "retry-after") {
			continue
		}
		if seconds, err := strconv.ParseUint(h[1], 10, 32); err == nil {
			return min(time.Duration(seconds)*time.Second, maxRetryAfter)
		} else if errors.Is(err, strconv.ErrRange) {
			return maxRetryAfter
		}
		if date, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", h[1]); err == nil {
			return min(max(date.Sub(now), 0), maxRetryAfter)
		}
	}
	return 0
}
