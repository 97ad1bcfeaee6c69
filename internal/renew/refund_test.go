package renew_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// orderKeys are the buckets that an order for a.example meets.
var orderKeys = []budget.Key{
	key(budget.NewOrdersPerAccount, "0"),
	key(budget.CertificatesPerRegisteredDomain, "a.example"),
	key(budget.CertificatesPerExactSet, budget.SetHash([]string{"a.example"})),
}

func TestARefusedOrderGetsBackWhatTheCADidNotTake(t *testing.T) {
	failure := func(k renew.Kind, r reason.Reason) error { return renew.Fail(k, r, errors.New("no")) }
	domain := budget.LetsEncrypt()[budget.CertificatesPerRegisteredDomain]
	for name, tc := range map[string]struct {
		err    error
		orders bool // the new-order token is gone
		issued bool // what is counted at issuance is gone
		taught bool // the domain is as empty as the 429 said
	}{
		"a 429 of a limit takes nothing":         {err: &renew.Denied{Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example", RetryAfter: time.Hour}, taught: true},
		"a pause takes nothing":                  {err: &renew.Denied{Paused: true, Detail: pausedA}},
		"a 429 that doesn't say may take one":    {err: &renew.Denied{RetryAfter: time.Hour}, orders: true},
		"a refusal takes one new order at most":  {err: failure(renew.Never, reason.CARefused), orders: true},
		"so does an overload":                    {err: failure(renew.Later, reason.CAUnavailable), orders: true},
		"an unknown answer may have taken all":   {err: failure(renew.Unknown, reason.CAUnavailable), orders: true, issued: true},
		"and so may what isn't the CA's answer":  {err: errKilled, orders: true, issued: true},
		"what was never sent isn't known to be.": {err: failure(renew.Later, reason.Deadline), orders: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.broken["NewOrder"] = tc.err
			if r := w.deliver("one", scheduled("www"))[0]; r.Issued {
				t.Fatal("issued")
			}
			got := map[budget.Name]bool{}
			for _, k := range orderKeys {
				got[k.Limit] = !w.buckets(t, k).Equal(budget.Bucket{})
			}
			if got[budget.NewOrdersPerAccount] != tc.orders || got[budget.CertificatesPerExactSet] != tc.issued || got[budget.CertificatesPerRegisteredDomain] != (tc.issued || tc.taught) {
				t.Errorf("taken: %v", got)
			}
			if have := w.buckets(t, orderKeys[1]); tc.taught && !have.Equal(budget.Learn(domain, w.now, time.Hour)) {
				t.Errorf("the domain is full at %s", have.TAT)
			}
			w.table.EachIssuance(context.Background())(func(i renew.Issuance, err error) bool {
				if !tc.issued && (i.Sent || i.Paid != nil || err != nil) {
					t.Errorf("there is no order, and still: %+v, %v", i, err)
				}
				return true
			})
		})
	}
}

func TestARefundIsDoneOnceWhateverBecomesOfIt(t *testing.T) {
	denied := &renew.Denied{Limit: budget.CertificatesPerExactSet, RetryAfter: time.Hour}
	undisturbed := newWorld(t)
	undisturbed.want(t, "www", "a.example")
	undisturbed.broken["NewOrder"] = denied
	undisturbed.deliver("one", scheduled("www"))
	from := indexOf(undisturbed.calls, "NewOrder")
	for at := from + 1; at <= len(undisturbed.calls); at++ {
		for _, f := range []fate{killBefore, killAfter, lostAnswer, failed} {
			t.Run(fmt.Sprintf("%s at %d, fate %d", undisturbed.calls[at-1], at, f), func(t *testing.T) {
				w := newWorld(t)
				w.want(t, "www", "a.example")
				w.broken["NewOrder"] = denied
				w.at, w.fate = at, f
				w.deliver("one", scheduled("www"))
				w.dead, w.at = false, 0
				set := budget.LetsEncrypt()[budget.CertificatesPerExactSet]
				if have := w.buckets(t, orderKeys[2]); have.TATNanos() < budget.Learn(set, epoch, time.Hour).TATNanos() && f != killBefore && undisturbed.calls[at-1] == "Spend" {
					t.Errorf("fuller than the CA said: full at %s", have.TAT)
				}
				delete(w.broken, "NewOrder")
				w.pass(26 * time.Hour)
				w.untilIssued(t, "www")
				for _, k := range orderKeys[1:] {
					l := budget.LetsEncrypt()[k.Limit]
					if have := w.buckets(t, k); have.TATNanos() < w.now.Add(l.Emission()).UnixNano() {
						t.Errorf("%s is fuller than after one certificate: full at %s", k, have.TAT)
					}
				}
			})
		}
	}
}

// Beside another client of the domain, five denials cost nothing: the certificate waits as long as
// the CA says.
func TestFiveDenialsBesideAnotherClientMakeTheCertificateWaitAsLongAsTheCASays(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	for n := range 5 {
		w.broken["NewOrder"] = &renew.Denied{Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example", RetryAfter: 40 * time.Minute}
		w.deliver(fmt.Sprint("denied", n), manual("www", w.now, false))
		if s := w.certificate(t, "www").Status; s.Reason != reason.RateLimited {
			t.Fatalf("denial %d: %+v", n, s)
		}
		w.pass(41 * time.Minute)
	}
	delete(w.broken, "NewOrder")
	if r := w.deliver("then", manual("www", w.now, false))[0]; !r.Issued {
		t.Errorf("%+v: %s", r, w.certificate(t, "www").Status.Message)
	}
}

// Figures of the CA's that aren't ours are told once, with the command that sets them.
func TestTheCAsOwnFiguresAreToldOnce(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	deny := func(burst int64) string {
		w.broken["NewOrder"] = &renew.Denied{
			Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example", RetryAfter: time.Minute, Detail: "too many",
			Said: budget.Limit{Burst: burst, Count: burst, Period: 7 * 24 * time.Hour},
		}
		w.deliver(fmt.Sprint(w.now), manual("www", w.now, false))
		w.pass(2 * time.Hour)
		return w.certificate(t, "www").Status.Message
	}
	const command = "certpace budgets set certificates-per-registered-domain --for a.example --burst 7 --period 168h0m0s"
	if m := deny(7); !strings.Contains(m, command) {
		t.Errorf("the first time: %s", m)
	}
	if m := deny(7); strings.Contains(m, "budgets set") {
		t.Errorf("the second time: %s", m)
	}
	if m := deny(50); strings.Contains(m, "budgets set") {
		t.Errorf("of our own figures: %s", m)
	}
	if m := deny(8); !strings.Contains(m, "--burst 8") {
		t.Errorf("of new figures: %s", m)
	}
}

func TestADeniedRegistrationCostsNothing(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["OpenAccount"] = &renew.Denied{Limit: budget.NewRegistrationsPerIP, RetryAfter: time.Hour}
	w.deliver("one", scheduled("www"))
	ip, network := w.buckets(t, key(budget.NewRegistrationsPerIP, budget.AnyAddress)), w.buckets(t, key(budget.NewRegistrationsPerIPv6Range, budget.AnyAddress))
	if want := budget.Learn(budget.LetsEncrypt()[budget.NewRegistrationsPerIP], w.now, time.Hour); !ip.Equal(want) || !network.Equal(budget.Bucket{}) {
		t.Errorf("full at %s and %s; want %s, and the other one full", ip.TAT, network.TAT, want.TAT)
	}
}

// A killed batch of one domain that is carried on costs what it is late by, not that for each of
// its orders.
func TestAKilledBatchOfOneDomainIsCarriedOnAtThePriceOfItsLateness(t *testing.T) {
	w := newWorld(t)
	var jobs []renew.Job
	for n := range 9 {
		name := fmt.Sprint("c", n)
		w.want(t, name, name+".a.example")
		jobs = append(jobs, renew.Job{Job: job.New(name, job.First, "j-"+name), SentAt: epoch})
	}
	w.broken["Publish"] = renew.Fail(renew.Later, reason.Deadline, errors.New("the invocation ends"))
	w.deliver("one", jobs...)
	before := w.buckets(t, orderKeys[1])
	delete(w.broken, "Publish")
	w.pass(79 * time.Second)
	for n, r := range w.deliver("two", jobs...) {
		if !r.Issued {
			t.Fatalf("%d: %+v", n, r)
		}
	}
	if moved := w.buckets(t, orderKeys[1]).TAT.Sub(before.TAT); moved != 79*time.Second {
		t.Errorf("the bucket moved by %s; want 79s", moved)
	}
}
