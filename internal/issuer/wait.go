package issuer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// leastTime is what must be left before the deadline when a request is sent: a shorter time only makes its answer get lost.
const leastTime = 2 * time.Second

// fits says whether a request that is sent at a moment leaves time for its answer.
func (c *call) fits(at time.Time) bool {
	at = at.Add(leastTime)
	deadline, ok := c.ctx.Deadline()
	return (!ok || !at.After(deadline)) && (c.by.IsZero() || !at.After(c.by))
}

// timeout is how long a request that is sent now may take.
func (c *call) timeout(now time.Time) time.Duration {
	if c.by.IsZero() {
		return RequestTimeout
	}
	return min(RequestTimeout, c.by.Sub(now))
}

// sleep waits, or ends early with the context.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// ended is the failure of a context that is over.
func ended(ctx context.Context) *renew.Failure {
	why := reason.Interrupted
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		why = reason.Deadline
	}
	return renew.Fail(renew.Later, why, fmt.Errorf("waiting for the CA: %w", ctx.Err()))
}

// distrust is the failure where the CA's own TLS certificate isn't trusted, nil for every other error. An expired one is left to
// the CA to renew.
func distrust(err error) *renew.Failure {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return nil
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return nil
	}
	return renew.Fail(renew.Never, reason.Configuration,
		fmt.Errorf("trusting the CA's TLS certificate: %w; give its root in CERTPACE_ACME_CA_BUNDLE, or correct the directory's URL", verification.Err))
}
