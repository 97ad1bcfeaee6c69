package renew

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// bugError is a panic of one job. It must not take the others of its batch along: they would all
// come back, and meet it again.
type bugError struct{ words string }

func (b *bugError) Error() string {
	return "a bug in certpace ended the job (" + b.words + "); the worker's log has where: report it. What was reached is kept"
}

// guarded does something, and makes an error of its panic. The stack goes to the log: it has no
// values in it but addresses. What was panicked with may be anything, a key too, so of that only
// its type is told, but for the runtime's own errors.
func (r *run) guarded(do func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		words := fmt.Sprintf("%T", p)
		if own, ok := p.(runtime.Error); ok {
			words = own.Error()
		}
		r.log.Error("a panic", "what", words, "stack", string(debug.Stack()))
		err = &bugError{words}
	}()
	return do()
}

// panicked writes down that the job ended in a panic. Where that ends in one too, the message comes
// back.
func (r *run) panicked(ctx context.Context, bug error) Result {
	if r.cert.Name == "" {
		return Result{Again: inventory.Backoff(1), Reason: reason.Interrupted, Failed: true}
	}
	res := Result{Again: SoonEnough, Reason: reason.Interrupted, Failed: true}
	_ = r.guarded(func() error { res = r.settle(ctx, bug); return nil })
	return res
}
