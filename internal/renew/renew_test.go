package renew_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func manual(name string, at time.Time, force bool) renew.Job {
	j := renew.Job{Job: job.New(name, job.Manual, "m-"+name), SentAt: at}
	j.Force = force
	return j
}

// issued is a world in which www is in use already, two days ago.
func issued(t *testing.T, domains ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.want(t, "www", domains...)
	w.untilIssued(t, "www")
	w.pass(48 * time.Hour)
	w.events = nil
	return w
}

func (w *world) buckets(t *testing.T, k budget.Key) budget.Bucket {
	t.Helper()
	have, err := w.table.Buckets(context.Background(), []budget.Key{k})
	if err != nil {
		t.Fatal(err)
	}
	return have[k]
}

func key(limit budget.Name, subject string) budget.Key {
	return budget.Key{CA: "ca.example", Limit: limit, Subject: subject}
}

func TestAdmit(t *testing.T) {
	at := epoch.Add(48 * time.Hour)
	in := func(change func(*inventory.Certificate)) inventory.Certificate {
		c := inventory.Certificate{Name: "www", Wanted: inventory.Wanted{Domains: []string{"a"}, Enabled: true, Since: epoch}}
		c.InUse = &inventory.InUse{Domains: []string{"a"}, NotBefore: epoch, IssuedAt: epoch, NotAfter: epoch.Add(90 * 24 * time.Hour), RenewAt: epoch.Add(60 * 24 * time.Hour)}
		change(&c)
		return c
	}
	for name, tc := range map[string]struct {
		c    inventory.Certificate
		j    renew.Job
		do   bool
		why  job.Reason
		says reason.Reason
	}{
		"a renewal before its moment is not due": {
			in(func(*inventory.Certificate) {}), scheduled("www"), false, "", reason.NotDue,
		},
		"a renewal at its moment is done": {
			in(func(c *inventory.Certificate) { c.InUse.RenewAt = at }), scheduled("www"), true, job.Renewal, "",
		},
		"a manual job sent after the issuance is done": {
			in(func(*inventory.Certificate) {}), manual("www", at, false), true, job.Manual, "",
		},
		"a manual job sent before the issuance was answered by it": {
			in(func(*inventory.Certificate) {}), manual("www", epoch.Add(-time.Second), true), false, "", reason.NotDue,
		},
		"a manual job on the day of issuance waits": {
			in(func(c *inventory.Certificate) { c.InUse.IssuedAt = at.Add(-time.Hour) }), manual("www", at, false), false, "", reason.RecentlyIssued,
		},
		"but not if it is forced": {
			in(func(c *inventory.Certificate) { c.InUse.IssuedAt = at.Add(-time.Hour) }), manual("www", at, true), true, job.Manual, "",
		},
		"nor if the CA revoked what is in use": {
			in(func(c *inventory.Certificate) { c.InUse.IssuedAt = at.Add(-time.Hour) }),
			renew.Job{Job: job.New("www", job.Revoked, "r"), SentAt: at}, true, job.Revoked, "",
		},
		"nothing is done for what is disabled, whoever asks": {
			in(func(c *inventory.Certificate) { c.Wanted.Enabled = false }), manual("www", at, true), false, "", reason.Disabled,
		},
		"a scheduled job that comes early waits out the backoff": {
			in(func(c *inventory.Certificate) {
				c.InUse, c.Status.Failures, c.Status.NextAttempt = nil, 2, at.Add(time.Minute)
			}), scheduled("www"), false, "", reason.Backoff,
		},
		"who asks after a failure knows why": {
			in(func(c *inventory.Certificate) {
				c.Status.Failures, c.Status.At, c.Status.NextAttempt = 2, at.Add(-time.Minute), at.Add(time.Hour)
			}), manual("www", at, false), true, job.Manual, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := renew.Admit(tc.c, tc.j, at)
			if a.Do != tc.do || a.Why != tc.why || a.Reason != tc.says || !a.Do && a.Message == "" {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestANameWithoutAZoneSpendsNothing(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["Locate"] = renew.Fail(renew.Never, reason.ZoneNotFound, errors.New("no zone for a.example"))
	r := w.deliver("one", scheduled("www"))[0]
	s := w.certificate(t, "www").Status
	if !r.Done || s.Reason != reason.ZoneNotFound || s.NextAttempt.Sub(w.now) != 24*time.Hour || !s.Due.Equal(s.NextAttempt) {
		t.Errorf("%+v, %+v", r, s)
	}
	if len(w.ca.orders) != 0 || w.buckets(t, key(budget.NewOrdersPerAccount, "0")).TATNanos() != 0 {
		t.Error("something was spent")
	}
	if len(w.events) != 1 || w.events[0].Kind != event.RenewalFailed || w.events[0].Detail.Reason != reason.ZoneNotFound {
		t.Errorf("events: %+v", w.events)
	}
	w.leftOver(t)
}

func TestNamesThatCAARecordsKeepFromTheCASpendNothing(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["Permit"] = renew.Fail(renew.Never, reason.CAAForbids, errors.New("a.example: only other.example may issue"))
	w.deliver("one", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.Reason != reason.CAAForbids || s.NextAttempt.Sub(w.now) != 24*time.Hour || s.Rehearse {
		t.Errorf("%+v", s)
	}
	if len(w.ca.orders) != 0 || w.buckets(t, key(budget.NewOrdersPerAccount, "0")).TATNanos() != 0 {
		t.Error("something was spent")
	}
	w.leftOver(t)
	delete(w.broken, "Permit")
	w.deliver("two", manual("www", w.now.Add(time.Second), false))
	w.clean(t, "www")
	if len(w.permitted) != 1 || w.permitted[0] != "[a.example] by [ca.example]" {
		t.Errorf("asked for %v", w.permitted)
	}
}

func TestCAARecordsAreNotAskedForWhereTheCADoesNotSayWhoItIs(t *testing.T) {
	w := newWorld(t)
	w.ca.identities = nil
	w.want(t, "www", "a.example")
	w.untilIssued(t, "www")
	if len(w.permitted) != 0 {
		t.Errorf("asked for %v", w.permitted)
	}
}

func TestAFailedValidationIsCountedAndBacksOff(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.at = 0
	undo := w.spoil("Publish") // the values never get there, and the provider says that they did
	for n, wait := range []time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour} {
		w.deliver(fmt.Sprint("owner", n), scheduled("www"))
		s := w.certificate(t, "www").Status
		if s.Reason != reason.ValidationFailed || s.Failures != n+1 || s.NextAttempt.Sub(w.now) != wait || !strings.Contains(s.Message, "no TXT record found") {
			t.Fatalf("after %d failures: %+v, in %s", n+1, s, s.NextAttempt.Sub(w.now))
		}
		w.leftOver(t)
		w.pass(wait)
	}
	subject := budget.FailureSubject("0", "a.example")
	for _, limit := range []budget.Name{budget.FailedAuthorizations, budget.ConsecutiveFailures} {
		if w.buckets(t, key(limit, subject)).TATNanos() == 0 {
			t.Errorf("%s: the failures weren't counted", limit)
		}
	}
	undo()
	w.untilIssued(t, "www")
	w.clean(t, "www")
	if got := w.buckets(t, key(budget.ConsecutiveFailures, subject)); got.TATNanos() != 0 {
		t.Errorf("a success didn't end the row of failures: %s", got.TAT)
	}
}

func TestABudgetDefersWithoutAskingTheCA(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	limit := budget.LetsEncrypt()[budget.CertificatesPerRegisteredDomain]
	full := budget.Write{Key: key(budget.CertificatesPerRegisteredDomain, "a.example"), New: budget.Learn(limit, w.now, time.Hour)}
	if err := w.table.MoveBuckets(context.Background(), []budget.Write{full}); err != nil {
		t.Fatal(err)
	}
	r := w.deliver("one", scheduled("www"))[0]
	s := w.certificate(t, "www").Status
	if !r.Done || s.Reason != reason.Budget || s.Limit != string(full.Key.Limit) || s.LimitKey != "a.example" || s.Failures != 0 {
		t.Errorf("%+v, %+v", r, s)
	}
	if got := s.NextAttempt.Sub(w.now); got < 59*time.Minute || got > 61*time.Minute {
		t.Errorf("next attempt in %s", got)
	}
	if len(w.ca.orders) != 0 || len(w.events) != 1 || w.events[0].Kind != event.RateLimitDeferred {
		t.Errorf("%d orders, events %+v", len(w.ca.orders), w.events)
	}
	w.leftOver(t)
	w.pass(2 * time.Hour)
	w.untilIssued(t, "www")
}

func TestADenialTeachesTheBudget(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["NewOrder"] = &renew.Denied{Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example", RetryAfter: 3 * time.Hour, Detail: "too many certificates"}
	w.deliver("one", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.Reason != reason.RateLimited || s.NextAttempt.Sub(w.now) != 3*time.Hour+time.Second {
		t.Errorf("%+v", s)
	}
	limit := budget.LetsEncrypt()[budget.CertificatesPerRegisteredDomain]
	if d := budget.Check(limit, w.buckets(t, key(budget.CertificatesPerRegisteredDomain, "a.example")), w.now); d.Allowed || d.RetryAt.Sub(w.now) < 3*time.Hour {
		t.Errorf("the bucket says %+v", d)
	}
	w.leftOver(t)
}

func TestAPauseNeedsAPersonAndItsLinkStaysHere(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["NewOrder"] = &renew.Denied{Paused: true, Detail: "please visit https://ca.example/sfe/v1/unpause?jwt=secret"}
	w.deliver("one", scheduled("www"))
	s := w.certificate(t, "www").Status
	if s.Reason != reason.AccountPaused || strings.Contains(s.Message, "jwt") || !strings.Contains(s.Unpause, "jwt=secret") {
		t.Errorf("%+v", s)
	}
	if len(w.events) != 1 || w.events[0].Kind != event.AccountPaused || strings.Contains(w.events[0].Detail.Message, "jwt") {
		t.Errorf("%+v", w.events)
	}
}

func TestARenewalNamesWhatItReplaces(t *testing.T) {
	w := issued(t, "a.example")
	old := w.certificate(t, "www").InUse
	if r := w.deliver("two", manual("www", w.now, false))[0]; !r.Issued {
		t.Fatalf("%+v", r)
	}
	if got := w.ca.orders[1].Replaces; got != old.CertID || got == "" {
		t.Errorf("replaces %q, want %q", got, old.CertID)
	}
	w.clean(t, "www")
}

func TestWhatWasReplacedAlreadyIsOrderedWithoutNamingIt(t *testing.T) {
	w := issued(t, "a.example")
	w.ca.replaced[w.certificate(t, "www").InUse.CertID] = true
	if r := w.deliver("two", manual("www", w.now, false))[0]; !r.Issued {
		t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
	}
	if len(w.ca.orders) != 2 || w.ca.orders[1].Replaces != "" {
		t.Errorf("%d orders, the last replaces %q", len(w.ca.orders), w.ca.orders[1].Replaces)
	}
}

func TestOtherNamesWantedHalfWayGiveUpTheOldOrder(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "Accept"), killAfter
	w.deliver("one", scheduled("www"))
	w.dead, w.at = false, 0
	w.pass(20 * time.Minute)
	c := w.certificate(t, "www")
	want := c.Wanted
	want.Domains = []string{"b.example"}
	c, _ = inventory.Apply(c, want, w.now)
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.untilIssued(t, "www")
	w.clean(t, "www")
	if got := w.certificate(t, "www").InUse.Domains; len(got) != 1 || got[0] != "b.example" || w.ca.finalized != 1 {
		t.Errorf("in use for %v, %d certificates", got, w.ca.finalized)
	}
}

func TestWhatIsDisabledHalfWayIsCleanedUp(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "Accept"), killAfter
	w.deliver("one", scheduled("www"))
	w.dead, w.at = false, 0
	w.pass(20 * time.Minute)
	c, _ := inventory.Disable(w.certificate(t, "www"), w.now)
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	r := w.deliver("two", scheduled("www"))[0]
	if !r.Done || r.Reason != reason.Disabled || w.ca.finalized != 0 {
		t.Errorf("%+v, %d certificates", r, w.ca.finalized)
	}
	w.leftOver(t)
}

func TestAnOperatorsChangeInBetweenIsKept(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	undo := w.during("Download", func() {
		c := w.certificate(t, "www")
		c.Wanted.PreferredChain = "Other Root"
		if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
			t.Error(err)
		}
	})
	r := w.deliver("one", scheduled("www"))[0]
	undo()
	if c := w.certificate(t, "www"); !r.Issued || c.Wanted.PreferredChain != "Other Root" || c.InUse == nil {
		t.Errorf("%+v, %+v", r, c)
	}
	w.clean(t, "www")
}

func TestCleaningUpThatNeverWorksDoesNotStandInTheWayForEver(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["Remove"] = renew.Fail(renew.Later, reason.DNSWriteFailed, errors.New("not today"))
	for n := range 4 {
		w.deliver(fmt.Sprint("owner", n), scheduled("www"))
		w.pass(25 * time.Hour)
	}
	c := w.certificate(t, "www")
	if c.InUse == nil || c.Status.Issuance != "" || w.ca.finalized != 1 || len(w.keys) > 0 {
		t.Errorf("%+v, %d certificates, %d keys", c.Status, w.ca.finalized, len(w.keys))
	}
}

func indexOf(all []string, name string) int {
	for i, c := range all {
		if c == name {
			return i + 1
		}
	}
	return 0
}

func TestAWishOutlivesItsMessage(t *testing.T) {
	w := issued(t, "a.example")
	w.broken["NewOrder"] = renew.LaterAt(w.now.Add(2*time.Hour), reason.CAUnavailable, errors.New("503"))
	if r := w.deliver("two", manual("www", w.now, false))[0]; !r.Done {
		t.Errorf("%+v: a wait of two hours is the table's business", r)
	}
	c := w.certificate(t, "www")
	if a := c.Status.Asked; a == nil || a.Reason != "manual" || !c.Status.Due.Equal(w.now.Add(2*time.Hour)) {
		t.Fatalf("%+v", c.Status)
	}
	w.leftOver(t)
	delete(w.broken, "NewOrder")
	w.pass(2 * time.Hour)
	if r := w.deliver("three", manual("www", w.now, false))[0]; !r.Issued || w.certificate(t, "www").Status.Asked != nil {
		t.Errorf("%+v, %+v", r, w.certificate(t, "www").Status)
	}
}

func TestNothingIsOrderedAtSecondZeroOfAnHour(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.pass(30*time.Minute + 400*time.Millisecond) // 10:00:00.4
	var at time.Time
	defer w.during("NewOrder", func() { at = w.clock() })()
	w.untilIssued(t, "www")
	if at.Minute() != 0 || at.Second() != 1 {
		t.Errorf("ordered at %s", at)
	}
}

func TestAProfileThatTheCADoesNotOfferSpendsNothing(t *testing.T) {
	for name, row := range map[string]struct {
		offered []string
		says    string
	}{
		"because it offers others": {[]string{"classic", "tlsserver"}, `"shortlived": https://ca.example/dir offers classic, tlsserver`},
		"because it has none":      {nil, "has no profiles"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.change(t, "www", func(x *inventory.Wanted) { x.Profile = "shortlived" })
			w.ca.profiles, w.calls = row.offered, nil
			w.deliver("one", scheduled("www"))
			if s := w.certificate(t, "www").Status; s.Reason != reason.Configuration || !strings.Contains(s.Message, row.says) {
				t.Errorf("%+v", s)
			}
			if b := w.buckets(t, key(budget.NewOrdersPerAccount, "0")); b != (budget.Bucket{}) || slices.Contains(w.calls, "StageKey") || len(w.ca.orders) != 0 {
				t.Errorf("%v", w.calls)
			}
		})
	}
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.Profile = "tlsserver" })
	w.ca.profiles = []string{"tlsserver"}
	if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
		t.Errorf("one that it offers: %+v", r)
	}
}

func TestWhatWasRecentlyIssuedIsToldWithTheEndOfItsGuard(t *testing.T) {
	for name, life := range map[string]time.Duration{"of 90 days": 90 * 24 * time.Hour, "of two days": 48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			c := inventory.Certificate{Name: "www", Wanted: inventory.Wanted{Enabled: true, Domains: []string{"a"}}}
			c.InUse = &inventory.InUse{Domains: []string{"a"}, NotBefore: epoch, IssuedAt: epoch, NotAfter: epoch.Add(life), RenewAt: epoch.Add(life * 2 / 3)}
			at := epoch.Add(time.Hour)
			a := renew.Admit(c, manual("www", at, false), at)
			want := "left alone until " + epoch.Add(min(24*time.Hour, life/4)).UTC().Format(time.RFC3339)
			if a.Do || a.Reason != reason.RecentlyIssued || !strings.Contains(a.Message, want) {
				t.Errorf("%+v, want %q", a, want)
			}
		})
	}
}
