package crash

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/lab/ca"
)

// The worker is killed at each call between the order and its end, and its authorizations lapse before the job is delivered again.
func TestAnOrderWhoseAuthorizationsLapsedMeanwhileIsReplacedKnowingly(t *testing.T) {
	t.Parallel()
	first, _ := ofOne(t)
	from, to := slices.Index(first, call{newOrder, 1}), slices.Index(first, call{finalize, 1})
	if from < 0 || to < from {
		t.Fatalf("no way from an order to its end is in %v", first)
	}
	var jobs []job
	for i, aim := range first[from+2 : to+1] { // after the order's URL was written down
		if !everything() && i%2 == 1 {
			continue
		}
		gone := i/2%2 == 0
		jobs = append(jobs, job{fmt.Sprintf("killed before %s", aim), func(t *testing.T) { lapse(t, aim, gone) }})
	}
	sideBySide(t, jobs)
}

// lapse lets the first order of an issuance lapse. gone says that the CA then doesn't show the authorizations any more, as Let's Encrypt.
func lapse(t *testing.T, aim call, gone bool) {
	c := newCell(t, reused, single)
	e, before := c.fleet[0], c.past()
	if !c.disturb(aim, killedBefore) {
		c.t.Fatalf("%s was never made", aim)
	}
	orders := c.OrdersOf(e.Domains...)
	if len(orders) != 1 {
		t.Fatalf("there are %d orders", len(orders))
	}
	lapsed := orders[0].URL
	if err := c.CA.Lapse(lapsed); err != nil {
		t.Fatal(err)
	}
	if gone {
		defer c.CA.OnBefore(func(r ca.Request) ca.Verdict {
			if r.Kind == ca.KindAuthorization && r.OrderURL == lapsed {
				return ca.Problem(http.StatusNotFound, "malformed", "Expired authorization")
			}
			return ca.Pass()
		})()
	}
	c.settle(before.at)
	c.inUse(e, before)
	c.nothingLeft()
	orders = c.OrdersOf(e.Domains...)
	made := c.CertificatesOf(e.Domains...)
	if len(orders) != 2 || orders[1].Reused || len(made) != 1 || made[0].OrderURL != orders[1].URL || c.CA.StatusOf(lapsed) != "invalid" {
		t.Errorf("the CA has %d orders and %d certificates: %+v", len(orders), len(made), orders)
	}
	said := 0
	for line := range strings.Lines(c.Transcript()) {
		if strings.Contains(line, `"level":"WARN","msg":"the order is no more, making a new one"`) && strings.Contains(line, lapsed) {
			said++
		}
	}
	if said != 1 {
		t.Errorf("%d times the worker said that the order is no more", said)
	}
}
