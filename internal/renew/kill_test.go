package renew_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// calls is the list of every call that an undisturbed issuance makes: the test discovers it, nobody keeps it.
func calls(t *testing.T, domains ...string) []string {
	t.Helper()
	w := newWorld(t)
	w.want(t, "www", domains...)
	w.calls = nil
	if r := w.deliver("one", scheduled("www"))[0]; !r.Done || !r.Issued {
		t.Fatalf("undisturbed: %+v, %+v", r, w.certificate(t, "www").Status)
	}
	all := slices.Clone(w.calls)
	w.clean(t, "www")
	if len(w.ca.orders) != 1 || w.ca.finalized != 1 {
		t.Fatalf("undisturbed: %d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
	}
	return all
}

// clean holds that a certificate is in use, with its own key, and that nothing of its issuance is left anywhere.
func (w *world) clean(t *testing.T, name string) {
	t.Helper()
	w.dead, w.at = false, 0
	c := w.certificate(t, name)
	stored, ok := w.vault.current[name]
	if !ok || c.InUse == nil || c.InUse.Serial != stored.Bundle.Serial {
		t.Fatalf("table and vault differ: %+v", c.InUse)
	}
	if _, err := w.vault.current[name].Bundle.Encode(); err != nil {
		t.Fatal(err)
	}
	ca, err := budget.CAHost(c.InUse.Directory)
	if err != nil {
		t.Fatal(err)
	}
	if at := w.setIssued(t, ca, c.InUse.Domains...); !at.Equal(c.InUse.NotBefore) {
		t.Errorf("the set is remembered as of %s, want %s", at, c.InUse.NotBefore)
	}
	w.leftOver(t)
	if c.Status.Issuance != "" || c.Status.Failures != 0 || c.Status.Due.After(c.Status.At) { // the planner has to look at it
		t.Errorf("status %+v", c.Status)
	}
}

func (w *world) leftOver(t *testing.T) {
	t.Helper()
	if len(w.zone) > 0 {
		t.Errorf("left in the DNS: %v", w.zone)
	}
	if len(w.keys) > 0 {
		t.Errorf("%d keys are left in progress", len(w.keys))
	}
	for i, err := range w.table.EachIssuance(context.Background()) {
		t.Errorf("an issuance is left open: %+v, %v", i.Certificate, err)
	}
}

func TestKilledAtEveryCallTheNextDeliveryFinishes(t *testing.T) {
	all := calls(t, "a.example", "b.example")
	if len(all) < 20 {
		t.Fatalf("only %d calls were found: %v", len(all), all)
	}
	for i, call := range all {
		for _, f := range []fate{killBefore, killAfter} {
			when := map[fate]string{killBefore: "before", killAfter: "after"}[f]
			t.Run(fmt.Sprintf("%02d killed %s %s", i+1, when, call), func(t *testing.T) {
				w := newWorld(t)
				w.want(t, "www", "a.example", "b.example")
				w.calls, w.at, w.fate = nil, i+1, f
				w.deliver("one", scheduled("www"))
				if !w.dead {
					t.Fatalf("call %d wasn't reached", i+1)
				}
				w.dead, w.at = false, 0
				w.pass(15*time.Minute + renew.LeaseMargin + time.Second)
				w.deliver("two", scheduled("www"))
				w.clean(t, "www")
				most := 1
				if call == "NewOrder" && f == killAfter || i > 0 && all[i-1] == "NewOrder" && f == killBefore {
					most = 2 // its answer was lost before it could be written down: one is abandoned, and never finalized
				}
				if len(w.ca.orders) > most || w.ca.finalized != 1 {
					t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
				}
			})
		}
	}
}

func TestALostAnswerAtAnyCallIssuesOnce(t *testing.T) {
	for i, call := range calls(t, "a.example") {
		t.Run(fmt.Sprintf("%02d %s", i+1, call), func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.calls, w.at, w.fate = nil, i+1, lostAnswer
			w.untilIssued(t, "www")
			w.clean(t, "www")
			most := 1
			if call == "NewOrder" {
				most = 2
			}
			if len(w.ca.orders) > most || w.ca.finalized != 1 {
				t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
			}
		})
	}
}

func TestAFailureAtAnyCallIsNeverTheEnd(t *testing.T) {
	all := calls(t, "a.example")
	for i, call := range all {
		t.Run(fmt.Sprintf("%02d %s", i+1, call), func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.calls, w.at, w.fate = nil, i+1, failed
			w.untilIssued(t, "www")
			w.clean(t, "www")
			most := 1
			if i > 0 && all[i-1] == "NewOrder" {
				most = 2 // the order's URL couldn't be written down
			}
			if len(w.ca.orders) > most || w.ca.finalized != 1 {
				t.Errorf("%d orders, %d certificates", len(w.ca.orders), w.ca.finalized)
			}
		})
	}
}

// untilIssued delivers the job until it is done, as the queue and the planner would: after what the worker says, or a lease's time.
func (w *world) untilIssued(t *testing.T, name string) {
	t.Helper()
	for n := range 6 {
		r := w.deliver(fmt.Sprint("owner", n), scheduled(name))[0]
		if c := w.certificate(t, name); r.Issued || c.InUse != nil && c.Status.Issuance == "" {
			return
		}
		w.pass(max(r.Again, 16*time.Minute))
	}
	t.Fatalf("not issued after six deliveries: %+v", w.certificate(t, name).Status)
}

func TestADuplicateDeliveryOrdersNothing(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	results := w.deliver("one", scheduled("www"), scheduled("www"))
	if !results[0].Issued || !results[1].Done || results[1].Issued || results[1].Reason != reason.RecentlyIssued && results[1].Reason != reason.NotDue {
		t.Errorf("%+v", results)
	}
	if len(w.ca.orders) != 1 {
		t.Errorf("%d orders", len(w.ca.orders))
	}
}

func TestTwoWorkersOneLease(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	if _, err := w.table.AcquireWorker(context.Background(), inventory.DefaultShard, "other", w.now, w.now.Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	r := w.deliver("one", scheduled("www"))[0]
	if r.Done || r.Reason != reason.InProgress || r.Again < 9*time.Minute || len(w.ca.orders) != 0 {
		t.Errorf("%+v, %d orders", r, len(w.ca.orders))
	}
}

func TestTwoCertificatesOfOneSetAreIssuedOneAfterTheOther(t *testing.T) {
	w := newWorld(t)
	w.want(t, "ec", "a.example")
	c := w.want(t, "rsa", "a.example")
	c.Wanted.KeyType = inventory.EC384
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.deliver("one", scheduled("ec"), scheduled("rsa")) {
		if !r.Issued {
			t.Errorf("%+v", r)
		}
	}
	w.clean(t, "ec")
	w.clean(t, "rsa")
}

func TestATableFromABackupReissuesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.want(t, "www", "a.example")
	w.untilIssued(t, "www")
	now := w.certificate(t, "www")
	c.Rev = now.Rev // the table forgets that anything was issued
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	r := w.deliver("two", scheduled("www"))[0]
	if !r.Done || r.Issued || len(w.ca.orders) != 1 {
		t.Errorf("%+v, %d orders", r, len(w.ca.orders))
	}
	if got := w.certificate(t, "www"); got.InUse == nil || got.InUse.Serial != now.InUse.Serial {
		t.Errorf("in use: %+v", got.InUse)
	}
}

// lostKey is a world in which the worker was killed after a call, and the staged key is gone since.
func lostKey(t *testing.T, call string) *world {
	t.Helper()
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), call), killAfter
	w.deliver("one", scheduled("www"))
	w.dead, w.at = false, 0
	clear(w.keys)
	w.pass(20 * time.Minute)
	return w
}

func TestAnOrderWhoseKeyIsLostIsReplaced(t *testing.T) {
	for _, call := range []string{"NewOrder", "Accept", "Finalize", "Download"} {
		t.Run("after "+call, func(t *testing.T) {
			w := lostKey(t, call)
			lost := w.now
			w.untilIssued(t, "www")
			w.clean(t, "www")
			if at := w.certificate(t, "www").InUse.IssuedAt; at.Before(lost) {
				t.Errorf("issued at %s, which is when the lost one was", at)
			}
		})
	}
}

func TestATableFromTheMiddleOfAnIssuanceReissuesNothing(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "Download"), killAfter
	w.deliver("one", scheduled("www"))
	w.dead, w.at = false, 0
	w.pass(20 * time.Minute)
	backup := w.certificate(t, "www")
	var open renew.Issuance
	for i, err := range w.table.EachIssuance(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		open = i
	}
	w.untilIssued(t, "www")
	w.pass(time.Hour)
	// The backup comes back: in it the issuance is open, and its key is long gone.
	now := w.certificate(t, "www")
	backup.Rev, backup.Status.Issuance = now.Rev, ""
	if _, err := w.table.SaveCertificate(context.Background(), backup); err != nil {
		t.Fatal(err)
	}
	i, _, err := w.table.Claim(context.Background(), renew.Claim{Key: open.Key, Certificate: w.certificate(t, "www"), Owner: "backup", Until: w.now, Now: w.now, Job: open.Job})
	if err != nil {
		t.Fatal(err)
	}
	i.OrderURL, i.Finalized, i.Attempt = open.OrderURL, open.Finalized, open.Attempt
	if _, err := w.table.Progress(context.Background(), i); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	r := w.deliver("three", scheduled("www"))[0]
	if !r.Done || r.Issued || len(w.ca.orders) != 1 || w.ca.finalized != 1 {
		t.Errorf("%+v, %d orders, %d certificates", r, len(w.ca.orders), w.ca.finalized)
	}
	w.leftOver(t)
}

func TestAfterAFailureTheNextDeliveryNeedNotWaitForTheLease(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "Accept"), failed
	if r := w.deliver("one", scheduled("www"))[0]; r.Done || r.Again != time.Minute {
		t.Fatalf("%+v", r)
	}
	w.pass(time.Minute)
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.ca.orders) != 1 {
		t.Errorf("%+v, %d orders", r, len(w.ca.orders))
	}
}

func TestAnOrderThatIsCarriedOnLaterIsDatedAnew(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "Accept"), killAfter
	w.deliver("one", scheduled("www"))
	w.dead, w.at = false, 0
	w.pass(20 * time.Minute)
	deadline := w.now.Add(15 * time.Minute)
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v", r)
	}
	limits := budget.LetsEncrypt()
	for _, k := range []budget.Key{
		key(budget.CertificatesPerRegisteredDomain, "a.example"), key(budget.CertificatesPerExactSet, budget.SetHash([]string{"a.example"})),
	} {
		if got, want := w.buckets(t, k).TAT, deadline.Add(limits[k.Limit].Emission()); !got.Equal(want) {
			t.Errorf("%s: TAT %s, want %s", k.Limit, got, want)
		}
	}
}

func TestAKilledOrderIsNotHandedToAnotherCertificateOfTheSet(t *testing.T) {
	w := newWorld(t)
	w.want(t, "ec", "a.example")
	w.want(t, "rsa", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "Accept"), killAfter
	w.deliver("one", scheduled("ec"))
	w.dead, w.at = false, 0
	w.pass(20 * time.Minute) // the lease has ended, the order is still there to be finished with ec's key
	if r := w.deliver("two", scheduled("rsa"))[0]; r.Issued || r.Reason != reason.InProgress || len(w.ca.orders) != 1 {
		t.Errorf("%+v, %d orders", r, len(w.ca.orders))
	}
	w.untilIssued(t, "ec")
	w.untilIssued(t, "rsa")
	w.leftOver(t)
}

func TestWhatTheVaultReadsBackIsVerifiedBeforeItIsPromoted(t *testing.T) {
	w := issued(t, "a.example")
	before := w.vault.current["www"].Bundle.Serial
	w.vault.readBack = func(b bundle.Bundle) bundle.Bundle {
		b.PrivateKey = w.vault.current["www"].Bundle.PrivateKey // a key that isn't the new certificate's
		return b
	}
	w.deliver("two", manual("www", w.now, false))
	if s := w.certificate(t, "www").Status; s.Reason != reason.BadCertificate || w.vault.current["www"].Bundle.Serial != before {
		t.Errorf("%+v, in use %s, was %s", s, w.vault.current["www"].Bundle.Serial, before)
	}
	w.leftOver(t)
}
