package renew_test

import (
	"errors"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Nothing is known of an order, so another certificate of the same names need not wait for it; and the first one's key is nobody's then.
func TestTheKeyOfAnIssuanceWhoseEntryAnotherCertificateTookIsNotLeftBehind(t *testing.T) {
	for _, f := range []fate{killBefore, killAfter} {
		w := newWorld(t)
		w.want(t, "ec", "a.example")
		w.want(t, "rsa", "a.example")
		w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "NewOrder"), f
		w.deliver("one", scheduled("ec"))
		w.dead, w.at = false, 0
		w.pass(20 * time.Minute)
		if len(w.keys) != 1 {
			t.Fatalf("%d keys are staged", len(w.keys))
		}
		w.untilIssued(t, "rsa")
		w.untilIssued(t, "ec")
		w.leftOver(t)
	}
}

func TestAKeyThatCannotBeDroppedAfterAFailureIsDroppedLater(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "NewOrder"), failed
	w.broken["DropKey"] = renew.Fail(renew.Later, reason.StorageFailed, errors.New("not today"))
	w.deliver("one", scheduled("www"))
	delete(w.broken, "DropKey")
	w.at = 0
	w.pass(time.Minute)
	w.untilIssued(t, "www")
	w.clean(t, "www")
	if len(w.ca.orders) != 1 {
		t.Errorf("%d orders", len(w.ca.orders))
	}
}

// What can't be tidied up keeps the issuance open, but not its order: that one was refused, and has been counted.
func TestAnOrderThatWasRefusedIsNotResumedWhereItsValuesStay(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	undo := w.spoil("Publish")
	w.broken["Remove"] = renew.Fail(renew.Later, reason.DNSWriteFailed, errors.New("not today"))
	w.deliver("one", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.Reason != reason.ValidationFailed || s.Failures != 1 || s.Issuance == "" {
		t.Fatalf("%+v", s)
	}
	undo()
	delete(w.broken, "Remove")
	w.pass(time.Minute)
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.ca.orders) != 2 {
		t.Errorf("%+v, %d orders: %+v", r, len(w.ca.orders), w.certificate(t, "www").Status)
	}
	w.clean(t, "www")
}
