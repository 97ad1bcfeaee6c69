package renew_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// lapse lets the authorizations of the newest order expire: it becomes invalid, and nobody was told no.
func (c *ca) lapse() {
	o := c.orders[len(c.orders)-1]
	o.retired, o.Status = true, renew.Invalid
}

func TestAnOrderWhoseAuthorizationsLapsedMeanwhileIsReplacedByOne(t *testing.T) {
	for _, call := range []string{"Authorizations", "Publish", "Accept"} {
		t.Run("after "+call, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), call)+1, killBefore
			w.deliver("one", scheduled("www"))
			w.dead, w.at = false, 0
			w.ca.lapse()
			w.pass(20 * time.Minute)
			if r := w.deliver("two", scheduled("www"))[0]; !r.Issued {
				t.Errorf("%+v: %+v", r, w.certificate(t, "www").Status)
			}
			w.clean(t, "www")
			if len(w.ca.orders) != 2 || w.ca.finalized != 1 || w.ca.orders[0].chain != nil {
				t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
			}
			// The CA doesn't give back what the first order cost, so nor do the budgets.
			limit := budget.LetsEncrypt()[budget.NewOrdersPerAccount]
			if got := w.buckets(t, key(budget.NewOrdersPerAccount, "0")).TAT; got.Before(w.now.Add(limit.Emission())) {
				t.Errorf("new orders: TAT %s at %s", got, w.now)
			}
		})
	}
}

func TestAnOrderThatLapsesWhileItIsBeingProvedIsReplacedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.during("Publish", w.ca.lapse) // as one that was handed out again, and had little time left
	if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
		t.Errorf("%+v: %+v", r, w.certificate(t, "www").Status)
	}
	w.clean(t, "www")
	if len(w.ca.orders) != 2 || w.ca.finalized != 1 {
		t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
	}
}

func TestWhereEachOrderLapsesTheCertificateWaitsAndSaysWhy(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.interrupt = func(call string) {
		if call == "Publish" {
			w.ca.lapse()
		}
	}
	r := w.deliver("one", scheduled("www"))[0]
	w.interrupt = nil
	if s := w.certificate(t, "www").Status; r.Issued || s.Reason != reason.CARefused || s.Failures != 1 || s.Issuance != "" || r.Again != time.Minute {
		t.Errorf("%+v: %+v", r, s)
	}
	if len(w.ca.orders) != 2 || w.ca.finalized != 0 {
		t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
	}
	w.leftOver(t)
	w.pass(time.Minute)
	w.untilIssued(t, "www")
	w.clean(t, "www")
}
