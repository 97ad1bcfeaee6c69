package dns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// longestPause is the longest step between two looks at something that takes its time.
const longestPause = 5 * time.Second

// pause is how long to wait after the n-th look (from 0): what is quick is seen quickly, what is slow isn't asked often.
func pause(n int) time.Duration { return min(time.Duration(n+1)*time.Second, longestPause) }

// clock is the time as the solvers see it.
type clock struct {
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// wait sleeps. A wait that wouldn't end before the context's deadline isn't begun: the time left is better spent on handing the job back.
func (c clock) wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	if d <= 0 {
		return nil
	}
	if end, ok := ctx.Deadline(); ok && c.Now().Add(d).After(end) {
		return renew.Fail(renew.Later, reason.Deadline, fmt.Errorf("waiting %s more would pass the deadline at %s", d, end.UTC().Format(time.RFC3339)))
	}
	if err := c.Sleep(ctx, d); err != nil {
		return ended(err)
	}
	return nil
}

// ended is the failure of a context that is over.
func ended(err error) *renew.Failure {
	if errors.Is(err, context.DeadlineExceeded) {
		return renew.Fail(renew.Later, reason.Deadline, fmt.Errorf("the working time is over: %w", err))
	}
	return renew.Fail(renew.Later, reason.Interrupted, fmt.Errorf("the work was cancelled: %w", err))
}

// during says what was being done when a failure came up, and keeps its kind, reason and time.
func during(err error, format string, args ...any) error {
	var f *renew.Failure
	if !errors.As(err, &f) {
		return fmt.Errorf(format+": %w", append(args, err)...)
	}
	return &renew.Failure{Kind: f.Kind, Reason: f.Reason, At: f.At, Err: fmt.Errorf(format+": %w", append(args, f.Err)...)}
}
