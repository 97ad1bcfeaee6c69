package renew_test

import (
	"context"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// spoiling is a CA whose first order becomes invalid once its names are proved.
type spoiling struct {
	*ca
	problem string
	why     reason.Reason
}

func (s *spoiling) Order(ctx context.Context, url string) (renew.Order, error) {
	o, err := s.ca.Order(ctx, url)
	if err == nil && o.Status == renew.Ready && url == s.orders[0].URL {
		o.Status, o.Problem, o.Reason = renew.Invalid, s.problem, s.why
	}
	return o, err
}

func TestAnOrderThatTheCASpoiltIsMadeAgainSoonUnlessARecordForbidsIt(t *testing.T) {
	for name, tc := range map[string]struct {
		why, want reason.Reason
		wait      time.Duration
	}{
		"the CA failed inside, or the DNS did": {reason.CAUnavailable, reason.CAUnavailable, time.Minute},
		"a CAA record forbids it":              {reason.CAAForbids, reason.CAAForbids, 24 * time.Hour},
		"it says something else":               {"", reason.CARefused, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.speaks = func(c *ca) renew.CA { return &spoiling{ca: c, problem: "oops", why: tc.why} }
			w.want(t, "www", "a.example")
			r := w.deliver("one", scheduled("www"))[0]
			s := w.certificate(t, "www").Status
			if r.Reason != tc.want || s.Reason != tc.want || s.NextAttempt.Sub(s.At) != tc.wait {
				t.Errorf("%+v; again after %s", r, s.NextAttempt.Sub(s.At))
			}
			w.pass(tc.wait)
			if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.ca.orders) != 2 {
				t.Errorf("%+v, %d orders", r, len(w.ca.orders))
			}
			w.clean(t, "www")
		})
	}
}
