package inventory

import (
	"github.com/certpace/certpace/internal/reason"
)

// AtWork says whether the CA works on c's order, and asked to be left alone until the next attempt.
// Nothing has failed then.
func (c *Certificate) AtWork() bool {
	return c.Status.Issuance != "" && c.Status.Reason == reason.CAUnavailable && c.Status.Failures == 0
}
