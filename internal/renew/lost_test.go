package renew_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestAnOrderWhoseAnswerWasLostIsFoundInTheAccountsList(t *testing.T) {
	for name, f := range map[string]fate{"the answer was lost": lostAnswer, "the process died": killAfter} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ca.lists = true
			w.want(t, "www", "a.example")
			w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "NewOrder"), f
			r := w.deliver("one", scheduled("www"))[0]
			if f == lostAnswer && !r.Issued {
				t.Fatalf("%+v: the list was there to be looked at, at once", r)
			}
			w.dead, w.at = false, 0
			w.pass(15*time.Minute + renew.LeaseMargin + time.Second)
			w.untilIssued(t, "www")
			w.clean(t, "www")
			if len(w.ca.orders) != 1 || w.ordersSent() != 1 {
				t.Errorf("%d orders, %d newOrders", len(w.ca.orders), w.ordersSent())
			}
		})
	}
}

func TestWithoutAnAnswerFromTheListTheOrderIsMadeAgain(t *testing.T) {
	for name, row := range map[string]struct {
		lists bool
		err   error
	}{
		"the CA has no list":          {},
		"the list can't be looked at": {true, renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ca.lists = row.lists
			if row.err != nil {
				w.broken["FindOrder"] = row.err
			}
			w.want(t, "www", "a.example")
			w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "NewOrder"), killAfter
			w.deliver("one", scheduled("www"))
			w.dead, w.at = false, 0
			w.pass(20 * time.Minute)
			w.untilIssued(t, "www")
			w.clean(t, "www")
			if len(w.ca.orders) != 2 || w.ca.finalized != 1 {
				t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
			}
		})
	}
}

func TestALostOrderThatIsNotFoundIsMadeAgainAtOnce(t *testing.T) {
	t.Run("so that one delivery is enough", func(t *testing.T) {
		w := newWorld(t)
		w.want(t, "www", "a.example")
		w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "NewOrder"), lostAnswer
		if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
			t.Errorf("%+v", r)
		}
		w.clean(t, "www")
		if len(w.ca.orders) != 2 || w.ca.finalized != 1 || w.ordersSent() != 2 {
			t.Errorf("%d orders, %d certificates, %d newOrders", len(w.ca.orders), w.ca.finalized, w.ordersSent())
		}
	})
	t.Run("but not where the CA can't be reached to look for it", func(t *testing.T) {
		w := newWorld(t)
		w.want(t, "www", "a.example")
		w.broken["NewOrder"] = renew.Fail(renew.Unknown, reason.CAUnavailable, errors.New("the answer was lost"))
		w.broken["FindOrder"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("no connection"))
		if r := w.deliver("one", scheduled("www"))[0]; r.Issued || w.ordersSent() != 1 {
			t.Errorf("%+v, %d newOrders", r, w.ordersSent())
		}
	})
	t.Run("again and again where the list shows that there is none, each paid for", func(t *testing.T) {
		w := newWorld(t)
		w.ca.lists = true
		w.want(t, "www", "a.example")
		w.broken["NewOrder"] = renew.Fail(renew.Unknown, reason.CAUnavailable, errors.New("the connection was cut"))
		if r := w.deliver("one", scheduled("www"))[0]; r.Issued || r.Reason != reason.CAUnavailable || w.ordersSent() != 4 {
			t.Errorf("%+v, %d newOrders", r, w.ordersSent())
		}
	})
	t.Run("each paid for, and once where there is no list", func(t *testing.T) {
		w := newWorld(t)
		w.want(t, "www", "a.example")
		w.broken["NewOrder"] = renew.Fail(renew.Unknown, reason.CAUnavailable, errors.New("the answer was lost"))
		if r := w.deliver("one", scheduled("www"))[0]; r.Issued || r.Reason != reason.CAUnavailable || w.ordersSent() != 2 {
			t.Errorf("%+v, %d newOrders", r, w.ordersSent())
		}
		spent := 0
		for _, call := range w.calls {
			if call == "Spend" {
				spent++
			}
		}
		if spent != 3 { // the registration was the first
			t.Errorf("paid %d times: %v", spent, w.calls)
		}
	})
}

// afterLoss is a world in which the process died when newOrder was sent, at the next delivery.
func afterLoss(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.ca.lists = true
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "NewOrder"), killAfter
	w.deliver("one", scheduled("www"))
	w.dead, w.at, w.calls = false, 0, nil
	w.pass(20 * time.Minute)
	return w
}

func TestKilledWhileLookingForALostOrderTheNextDeliveryFinishes(t *testing.T) {
	undisturbed := afterLoss(t)
	undisturbed.deliver("two", scheduled("www"))
	for _, f := range []fate{killBefore, killAfter, lostAnswer, failed} {
		t.Run(fmt.Sprint("fate ", f), func(t *testing.T) {
			w := afterLoss(t)
			w.at, w.fate = indexOf(undisturbed.calls, "FindOrder"), f
			w.deliver("two", scheduled("www"))
			w.dead, w.at = false, 0
			w.pass(20 * time.Minute)
			w.untilIssued(t, "www")
			w.clean(t, "www")
			if len(w.ca.orders) > 2 || w.ca.finalized != 1 {
				t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
			}
		})
	}
}

func TestNothingIsLookedForThatWasNotLost(t *testing.T) {
	w := newWorld(t)
	w.ca.lists = true
	w.want(t, "www", "a.example")
	w.untilIssued(t, "www")
	if indexOf(w.calls, "FindOrder") != 0 {
		t.Errorf("%v", w.calls)
	}
}
