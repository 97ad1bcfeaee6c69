package renew_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// setIssued is when the table knows a CA to have issued a set of names.
func (w *world) setIssued(t *testing.T, ca string, names ...string) time.Time {
	t.Helper()
	h := budget.SetHash(names)
	issued, err := w.table.SetsIssued(context.Background(), ca, []string{h})
	if err != nil {
		t.Fatal(err)
	}
	return issued[h]
}

// spent are the buckets of an order for a.example: those that a renewal of the same set leaves alone, and the set's own.
func (w *world) spent(t *testing.T) (orders, domain, set budget.Bucket) {
	t.Helper()
	return w.buckets(t, key(budget.NewOrdersPerAccount, "0")), w.buckets(t, key(budget.CertificatesPerRegisteredDomain, "a.example")),
		w.buckets(t, key(budget.CertificatesPerExactSet, budget.SetHash([]string{"a.example"})))
}

// twoOfOneSet is a world that wants an RSA and an ECDSA certificate for the same name.
func twoOfOneSet(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.want(t, "ec", "a.example")
	c := w.want(t, "rsa", "a.example")
	c.Wanted.KeyType = inventory.RSA2048
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	return w
}

// only is a limit set in which new orders and registered domains have room for n a week.
func only(n int64) memory.LimitSet {
	l := budget.Limit{Burst: n, Count: n, Period: 7 * 24 * time.Hour}
	return memory.LimitSet{Name: budget.SetNone, Overrides: budget.Limits{budget.NewOrdersPerAccount: l, budget.CertificatesPerRegisteredDomain: l}}
}

func TestTwoCertificatesOfOneSetPayOnce(t *testing.T) {
	t.Run("one after the other", func(t *testing.T) {
		w := twoOfOneSet(t)
		w.untilIssued(t, "ec")
		orders, domain, set := w.spent(t)
		w.untilIssued(t, "rsa")
		ordersThen, domainThen, setThen := w.spent(t)
		if !ordersThen.Equal(orders) || !domainThen.Equal(domain) || orders.TATNanos() == 0 || domain.TATNanos() == 0 {
			t.Errorf("new orders %s then %s, domain %s then %s", orders.TAT, ordersThen.TAT, domain.TAT, domainThen.TAT)
		}
		if !setThen.TAT.After(set.TAT) {
			t.Errorf("the exact set, which is always counted: %s then %s", set.TAT, setThen.TAT)
		}
		w.clean(t, "ec")
		w.clean(t, "rsa")
	})
	t.Run("in one batch, where no budget has room for two", func(t *testing.T) {
		w := twoOfOneSet(t)
		if err := w.table.SetLimits(context.Background(), "ca.example", only(1)); err != nil {
			t.Fatal(err)
		}
		for _, r := range w.deliver("one", scheduled("ec"), scheduled("rsa")) {
			if !r.Issued {
				t.Errorf("%+v", r)
			}
		}
	})
	t.Run("but both where the CA has forgotten the first", func(t *testing.T) {
		w := twoOfOneSet(t)
		w.untilIssued(t, "ec")
		w.pass(121 * 24 * time.Hour)
		orders, _, _ := w.spent(t)
		w.untilIssued(t, "rsa")
		if then, _, _ := w.spent(t); !then.TAT.After(orders.TAT) {
			t.Errorf("new orders %s then %s", orders.TAT, then.TAT)
		}
	})
}

func TestASetIsNewToAnotherCA(t *testing.T) {
	w := issued(t, "a.example")
	c := w.certificate(t, "www")
	c.Wanted.Directory = "https://other.example/directory"
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if err := w.table.SetLimits(context.Background(), "other.example", only(1)); err != nil {
		t.Fatal(err)
	}
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v", r)
	}
	if b := w.buckets(t, budget.Key{CA: "other.example", Limit: budget.NewOrdersPerAccount, Subject: "0"}); b.TATNanos() == 0 {
		t.Error("its first order there cost nothing")
	}
}

func TestTheRenewalOfWhatWasAdopted(t *testing.T) {
	for name, test := range map[string]struct{ known, free bool }{
		"from nobody knows where pays for new names": {},
		"from this very CA is a renewal there":       {known: true, free: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.want(t, "www", "a.example")
			u := inventory.InUse{
				Serial: "0a", CertID: "aki.0a", Domains: c.Wanted.Domains, KeyType: c.Wanted.KeyType, Directory: c.Wanted.Directory,
				NotBefore: epoch.Add(-61 * 24 * time.Hour), NotAfter: epoch.Add(29 * 24 * time.Hour), IssuedAt: epoch.Add(-61 * 24 * time.Hour),
			}
			if _, err := w.table.SaveCertificate(context.Background(), inventory.Adopt(c, u, w.clock())); err != nil {
				t.Fatal(err)
			}
			if test.known {
				if err := w.table.RememberSet(context.Background(), "ca.example", budget.SetHash(u.Domains), u.NotBefore); err != nil {
					t.Fatal(err)
				}
			}
			w.untilIssued(t, "www")
			if orders, domain, _ := w.spent(t); (orders.TATNanos() == 0) != test.free || (domain.TATNanos() == 0) != test.free {
				t.Errorf("new orders %s, domain %s", orders.TAT, domain.TAT)
			}
			w.clean(t, "www")
		})
	}
}

func TestNoOrderIsSentOnAGuessAboutItsSet(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["SetsIssued"] = renew.Fail(renew.Later, reason.StorageFailed, errors.New("not today"))
	w.deliver("one", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.Reason != reason.StorageFailed || len(w.ca.orders) != 0 {
		t.Errorf("%+v, %d orders", s, len(w.ca.orders))
	}
	delete(w.broken, "SetsIssued")
	w.untilIssued(t, "www")
	w.clean(t, "www")
}

func TestACertificateIsNotClosedBeforeItsSetIsRemembered(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["RememberSet"] = renew.Fail(renew.Later, reason.StorageFailed, errors.New("not today"))
	w.deliver("one", scheduled("www"))
	if c := w.certificate(t, "www"); c.Status.Issuance == "" || c.InUse == nil {
		t.Errorf("%+v", c)
	}
	delete(w.broken, "RememberSet")
	w.pass(time.Minute)
	w.untilIssued(t, "www")
	w.deliver("two", scheduled("www"))
	w.clean(t, "www")
	if w.ca.finalized != 1 {
		t.Errorf("%d certificates", w.ca.finalized)
	}
}

func TestAPlaceInTheCalendarOutlivesAnIssuance(t *testing.T) {
	w := newWorld(t)
	c := w.want(t, "www", "a.example")
	c.Booked = &inventory.Booking{Serial: "0a", Hour: epoch.Truncate(time.Hour), Rate: 500}
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.broken["Locate"] = renew.Fail(renew.Later, reason.ZoneNotFound, errors.New("no zone"))
	w.deliver("one", scheduled("www"))
	if got := w.certificate(t, "www").Booked; got == nil || *got != *c.Booked {
		t.Errorf("after a failure: %+v", got)
	}
	delete(w.broken, "Locate")
	w.pass(time.Hour)
	w.untilIssued(t, "www")
	if got := w.certificate(t, "www").Booked; got == nil || *got != *c.Booked {
		t.Errorf("after it was issued: %+v", got)
	}
}

func TestWhatOneEntryStandsFor(t *testing.T) {
	plain := inventory.Wanted{Domains: []string{"a.example", "b.example"}, KeyType: inventory.EC256}
	for name, row := range map[string]struct {
		shard, host string
		other       inventory.Wanted
		same        bool
	}{
		"the same set for another key":                             {"0", "ca.example", inventory.Wanted{Domains: plain.Domains, KeyType: inventory.RSA2048}, true},
		"of another profile: it may be the CA's choice where none": {"0", "ca.example", inventory.Wanted{Domains: plain.Domains, Profile: "classic"}, true},
		"not another set":                                          {"0", "ca.example", inventory.Wanted{Domains: plain.Domains[:1]}, false},
		"not another account":                                      {"1", "ca.example", plain, false},
		"not another CA":                                           {"0", "other.example", plain, false},
	} {
		t.Run(name, func(t *testing.T) {
			if same := renew.ClaimKey("0", "ca.example", plain) == renew.ClaimKey(row.shard, row.host, row.other); same != row.same {
				t.Errorf("the same entry: %t", same)
			}
		})
	}
}
