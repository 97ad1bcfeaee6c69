package entry

import (
	"context"
	"errors"
	"fmt"

	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Corrupt is the error of an entry that can't be understood.
type Corrupt struct {
	Item string // its key in the table
	Err  error  // what is wrong with it
}

func (c *Corrupt) Error() string {
	return fmt.Sprintf("item %q can't be understood: %v", c.Item, c.Err)
}

// Unwrap gives the cause.
func (c *Corrupt) Unwrap() error { return c.Err }

// Is makes it an error that the planner passes over.
func (c *Corrupt) Is(target error) bool { return target == plan.ErrUnreadable }

// Unreadable is the failure of an entry that can't be understood: a person must mend it, or upgrade this program.
func Unreadable(item string, err error) error {
	return renew.Fail(renew.Never, reason.StorageFailed, &Corrupt{Item: item, Err: err})
}

// Ended is the failure of something that stopped because its context was done; nil while it isn't.
func Ended(ctx context.Context, doing string, err error) error {
	switch cause := ctx.Err(); {
	case errors.Is(cause, context.DeadlineExceeded):
		return renew.Fail(renew.Later, reason.Deadline, fmt.Errorf("%s: %w", doing, errors.Join(cause, err)))
	case cause != nil:
		return renew.Fail(renew.Later, reason.Interrupted, fmt.Errorf("%s: %w", doing, errors.Join(cause, err)))
	}
	return nil
}
