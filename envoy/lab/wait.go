package lab

import (
	"context"
	"fmt"
	"time"
)

// Until asks check every 50 ms until it is done, for at most limit. check also tells the state that it
// saw; the error repeats the last one.
func Until(ctx context.Context, what string, limit time.Duration, check func(context.Context) (state string, done bool)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	for {
		state, done := check(ctx)
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s; last seen: %s", time.Since(start).Round(time.Millisecond), what, state)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
