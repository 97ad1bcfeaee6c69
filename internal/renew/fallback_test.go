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
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const noRoom = "no room in certificates-per-registered-domain of a.example before 2027-03-02T00:00:00Z at ca.example"

// backed is a world in which www is in use, of the first CA, and has a second one. It has five days left: its last call, four days ago, is over.
func backed(t *testing.T, domains ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.want(t, "www", domains...)
	w.change(t, "www", func(want *inventory.Wanted) { want.Fallback = &inventory.Fallback{Directory: otherDirectory} })
	w.untilIssued(t, "www")
	w.pass(85 * 24 * time.Hour)
	w.events, w.calls = nil, nil
	return w
}

// choose records a plan's choice.
func (w *world) choose(t *testing.T, why string) {
	t.Helper()
	c := w.certificate(t, "www")
	c.Status.Fallback, c.Status.Reason, c.Status.NextAttempt = why, reason.Scheduled, time.Time{}
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

// ofOther is a bucket of the second CA's.
func ofOther(limit budget.Name, subject string) budget.Key {
	return budget.Key{CA: "other.example", Limit: limit, Subject: subject}
}

// fullFirst leaves no room at the first CA, and returns what is spent there.
func (w *world) fullFirst(t *testing.T) func(t *testing.T) {
	t.Helper()
	k := key(budget.CertificatesPerRegisteredDomain, "a.example")
	full := budget.BucketAt(w.now.Add(30 * 24 * time.Hour).UnixNano())
	if err := w.table.MoveBuckets(context.Background(), []budget.Write{{Key: k, Read: w.buckets(t, k), New: full}}); err != nil {
		t.Fatal(err)
	}
	orders, domain, set := w.spent(t)
	return func(t *testing.T) {
		t.Helper()
		if o, d, s := w.spent(t); !o.Equal(orders) || !d.Equal(domain) || !s.Equal(set) {
			t.Error("something of the first CA was spent")
		}
	}
}

func TestWhatThePlanChoseIsOrderedOfTheSecondCA(t *testing.T) {
	w := backed(t, "a.example")
	unspent := w.fullFirst(t)
	w.choose(t, noRoom)
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
	}
	w.clean(t, "www")
	unspent(t)
	for _, k := range []budget.Key{
		ofOther(budget.NewOrdersPerAccount, "0"), ofOther(budget.CertificatesPerRegisteredDomain, "a.example"),
		ofOther(budget.CertificatesPerExactSet, budget.SetHash([]string{"a.example"})), ofOther(budget.NewRegistrationsPerIP, budget.AnyAddress),
	} {
		if w.buckets(t, k).TATNanos() == 0 {
			t.Errorf("%s wasn't spent", k)
		}
	}
	if len(w.ca.orders) != 1 || len(w.otherCA.orders) != 1 || w.otherCA.orders[0].Replaces != "" {
		t.Errorf("%d orders at the first CA; at the second %+v", len(w.ca.orders), w.otherCA.orders)
	}
	c, b := w.certificate(t, "www"), w.vault.current["www"].Bundle
	if b.Directory != otherDirectory || b.Account != w.otherCA.Account() || c.InUse.Directory != otherDirectory || c.Wanted.Directory != directory || c.Changed() {
		t.Errorf("secret of %s, account %s; %+v", b.Directory, b.Account, c)
	}
	says := "by the second CA, " + otherDirectory + ": " + noRoom
	if c.Status.Fallback != "" || c.Status.Reason != reason.NotDue || !strings.Contains(c.Status.Message, says) {
		t.Errorf("%+v", c.Status)
	}
	if len(w.events) != 1 || w.events[0].Kind != event.CertificateIssued || !strings.Contains(w.events[0].Detail.Message, says) {
		t.Errorf("%+v", w.events)
	}
}

func TestTheNextRenewalIsTheFirstCAsAgain(t *testing.T) {
	issued := func(t *testing.T) *world {
		w := backed(t, "a.example")
		w.choose(t, noRoom)
		w.deliver("two", scheduled("www"))
		w.clean(t, "www")
		w.pass(60 * 24 * time.Hour)
		return w
	}
	t.Run("without naming what another CA issued", func(t *testing.T) {
		w := issued(t)
		if r := w.deliver("three", scheduled("www"))[0]; !r.Issued {
			t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
		}
		w.clean(t, "www")
		c := w.certificate(t, "www")
		if len(w.ca.orders) != 2 || w.ca.orders[1].Replaces != "" || len(w.otherCA.orders) != 1 || c.InUse.Directory != directory || c.Status.Message != "issued" {
			t.Errorf("%+v\n%+v", w.ca.orders, c)
		}
	})
	t.Run("unless the plan chose the second once more, which knows what it issued", func(t *testing.T) {
		w := issued(t)
		old := w.certificate(t, "www").InUse.CertID
		w.choose(t, noRoom)
		if r := w.deliver("three", scheduled("www"))[0]; !r.Issued {
			t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
		}
		if len(w.otherCA.orders) != 2 || w.otherCA.orders[1].Replaces != old || old == "" {
			t.Errorf("%+v", w.otherCA.orders)
		}
	})
	t.Run("and no choice holds that the fleet file doesn't back any more", func(t *testing.T) {
		w := backed(t, "a.example")
		w.choose(t, noRoom)
		w.change(t, "www", func(want *inventory.Wanted) { want.Fallback = nil })
		if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.otherCA.orders) != 0 {
			t.Errorf("%+v, %d orders at the second CA", r, len(w.otherCA.orders))
		}
	})
}

// A choice was made for one renewal. Where that turns out not to be needed, whoever asks for the certificate next is the first CA's.
func TestAChoiceThatIsNotNeededIsForgotten(t *testing.T) {
	w := backed(t, "a.example")
	w.choose(t, noRoom)
	c := w.certificate(t, "www")
	c.InUse.NotAfter, c.InUse.RenewAt = w.now.Add(60*24*time.Hour), w.now.Add(24*time.Hour)
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.deliver("two", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.Reason != reason.NotDue || s.Fallback != "" {
		t.Errorf("%+v", s)
	}
	if r := w.deliver("three", manual("www", w.now, false))[0]; !r.Issued || len(w.otherCA.orders) != 0 {
		t.Errorf("%+v, %d orders at the second CA", r, len(w.otherCA.orders))
	}
}

func TestTheSecondCAsOwnBudgetsDefer(t *testing.T) {
	w := backed(t, "a.example")
	w.choose(t, noRoom)
	full := budget.Write{Key: ofOther(budget.CertificatesPerRegisteredDomain, "a.example"), New: budget.BucketAt(w.now.Add(40 * 24 * time.Hour).UnixNano())}
	if err := w.table.MoveBuckets(context.Background(), []budget.Write{full}); err != nil {
		t.Fatal(err)
	}
	w.deliver("two", scheduled("www"))
	s := w.certificate(t, "www").Status
	if s.Reason != reason.Budget || len(w.otherCA.orders) != 0 || !s.Due.Equal(s.At) || !s.NextAttempt.After(w.now.Add(10*24*time.Hour)) {
		t.Errorf("%+v: the next plan is to look for another way", s)
	}
	w.leftOver(t)
}

// Whatever kills the worker while the second CA issues, the next delivery goes on there, and nothing is ordered of the first.
func TestKilledAtEveryCallTheNextDeliveryGoesOnAtTheSecondCA(t *testing.T) {
	w := backed(t, "a.example", "b.example")
	w.choose(t, noRoom)
	w.calls = nil
	w.deliver("two", scheduled("www"))
	all := slices.Clone(w.calls)
	if !slices.Contains(all, "other Finalize") {
		t.Fatalf("%v", all)
	}
	for i, call := range all {
		for _, f := range []fate{killBefore, killAfter, lostAnswer, failed} {
			t.Run(fmt.Sprintf("%02d %s, fate %d", i+1, call, f), func(t *testing.T) {
				w := backed(t, "a.example", "b.example")
				w.choose(t, noRoom)
				w.calls, w.at, w.fate = nil, i+1, f
				w.deliver("two", scheduled("www"))
				w.dead, w.at = false, 0
				for n := range 6 {
					if w.certificate(t, "www").InUse.Directory == otherDirectory && w.certificate(t, "www").Status.Issuance == "" {
						break
					}
					w.pass(16 * time.Minute)
					w.deliver(fmt.Sprint("again", n), scheduled("www"))
				}
				w.clean(t, "www")
				if w.certificate(t, "www").InUse.Directory != otherDirectory || len(w.ca.orders) != 1 || len(w.otherCA.orders) > 2 || w.otherCA.finalized != 1 {
					t.Errorf("%d orders at the first CA, %d and %d certificates at the second", len(w.ca.orders), len(w.otherCA.orders), w.otherCA.finalized)
				}
			})
		}
	}
}

// openAtFirst is a world in which the first CA's order stands where a call left it.
func openAtFirst(t *testing.T, call string) *world {
	t.Helper()
	w := backed(t, "a.example")
	w.broken[call] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
	w.deliver("two", scheduled("www"))
	c := w.certificate(t, "www")
	if c.Status.Issuance == "" || c.Status.Reason != reason.CAUnavailable || len(w.ca.orders) != 2 || !c.Status.Due.Equal(c.Status.At) {
		t.Fatalf("%+v, %d orders", c.Status, len(w.ca.orders))
	}
	w.pass(16 * time.Minute)
	w.calls, w.events = nil, nil
	return w
}

func TestAnOrderAtTheFirstCAIsFinishedOrGivenUpButNeverDoubled(t *testing.T) {
	type left struct{ firsts, seconds, firstCerts, secondCerts int }
	for name, tc := range map[string]struct {
		world  func(t *testing.T) *world
		second bool
		want   left
	}{
		"an order that isn't finalized is given up": {
			func(t *testing.T) *world { return openAtFirst(t, "Accept") }, true, left{2, 1, 1, 1},
		},
		"one that is finalized is finished, once the CA is back": {
			func(t *testing.T) *world {
				w := openAtFirst(t, "Download")
				delete(w.broken, "Download")
				return w
			}, false, left{2, 0, 2, 0},
		},
		"and given up where it isn't": {
			func(t *testing.T) *world { return openAtFirst(t, "Download") }, true, left{2, 1, 2, 1},
		},
		"or where the CA knows nothing of it any more: it makes no other one": {
			func(t *testing.T) *world {
				w := openAtFirst(t, "Download")
				delete(w.broken, "Download")
				w.ca.orders[1].URL = "https://ca.example/gone"
				return w
			}, true, left{2, 1, 2, 1},
		},
		"or where its key is lost": {
			func(t *testing.T) *world {
				w := openAtFirst(t, "Download")
				delete(w.broken, "Download")
				clear(w.keys)
				return w
			}, true, left{2, 1, 2, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := tc.world(t)
			w.choose(t, noRoom)
			if r := w.deliver("three", scheduled("www"))[0]; !r.Issued {
				t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
			}
			w.clean(t, "www")
			c := w.certificate(t, "www")
			if got := (left{len(w.ca.orders), len(w.otherCA.orders), w.ca.finalized, w.otherCA.finalized}); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
			if (c.InUse.Directory == otherDirectory) != tc.second || c.Status.Fallback != "" {
				t.Errorf("in use of %s, %+v", c.InUse.Directory, c.Status)
			}
			if len(w.events) != 1 || w.events[0].Kind != event.CertificateIssued {
				t.Errorf("%+v", w.events)
			}
		})
	}
}

// The same the other way round: what the second CA let nobody finish is its own, also when the plan has turned back to the first.
func TestAnOrderAtTheSecondCAIsFinishedThereToo(t *testing.T) {
	for name, mended := range map[string]bool{"once it is back": true, "or given up": false} {
		t.Run(name, func(t *testing.T) {
			w := backed(t, "a.example")
			w.choose(t, noRoom)
			w.broken["other Download"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
			w.deliver("two", scheduled("www"))
			w.pass(16 * time.Minute)
			w.choose(t, "")
			if mended {
				delete(w.broken, "other Download")
			}
			if r := w.deliver("three", scheduled("www"))[0]; !r.Issued {
				t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
			}
			w.clean(t, "www")
			c := w.certificate(t, "www")
			if (c.InUse.Directory == otherDirectory) != mended || strings.Contains(c.Status.Message, "by the second CA, "+otherDirectory) != mended {
				t.Errorf("in use of %s, %+v", c.InUse.Directory, c.Status)
			}
			if len(w.otherCA.orders) != 1 || (len(w.ca.orders) == 1) != mended {
				t.Errorf("%d orders at the first CA, %d at the second", len(w.ca.orders), len(w.otherCA.orders))
			}
		})
	}
}

// Also the turn from one CA to the other can be killed anywhere. Each call meets one fate, in turn, another one in each case.
func TestKilledAtEveryCallOfATurnTheNextDeliveryFinishes(t *testing.T) {
	fates := []fate{killBefore, killAfter, lostAnswer, failed}
	for name, tc := range map[string]struct {
		call   string // at which the first CA failed
		mended bool
		fate   int // of the first call
	}{"from an order that is given up": {"Accept", false, 0}, "from one that is finished": {"Download", true, 1}, "from one that can't be": {"Download", false, 2}} {
		t.Run(name, func(t *testing.T) {
			turning := func(t *testing.T) *world {
				w := openAtFirst(t, tc.call)
				if tc.mended {
					delete(w.broken, tc.call)
				}
				w.choose(t, noRoom)
				w.calls = nil
				return w
			}
			w := turning(t)
			w.deliver("three", scheduled("www"))
			for i, call := range slices.Clone(w.calls) {
				f := fates[(i+tc.fate)%len(fates)]
				t.Run(fmt.Sprintf("%02d %s, fate %d", i+1, call, f), func(t *testing.T) {
					w := turning(t)
					old := w.certificate(t, "www").InUse.Serial
					w.at, w.fate = i+1, f
					w.deliver("three", scheduled("www"))
					w.dead, w.at = false, 0
					for n := range 6 {
						if c := w.certificate(t, "www"); c.InUse.Serial != old && c.Status.Issuance == "" {
							break
						}
						w.pass(16 * time.Minute)
						w.deliver(fmt.Sprint("again", n), scheduled("www"))
					}
					w.clean(t, "www")
					if w.certificate(t, "www").InUse.Serial == old || len(w.ca.orders) != 2 || len(w.otherCA.orders) > 2 || w.otherCA.finalized > 1 || w.ca.finalized > 2 {
						t.Errorf("%d orders and %d certificates at the first CA, %d and %d at the second", len(w.ca.orders), w.ca.finalized, len(w.otherCA.orders), w.otherCA.finalized)
					}
				})
			}
		})
	}
}

func TestWhatFailedAtTheFirstCAIsDueWhenTheSecondMayBeAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		left  time.Duration
		call  string
		fails error
		due   time.Duration // from now
	}{
		"after the last call at once":       {5 * 24 * time.Hour, "NewOrder", renew.Fail(renew.Never, reason.CARefused, errors.New("no")), 0},
		"before it then":                    {9*24*time.Hour + 2*time.Hour, "NewOrder", renew.Fail(renew.Never, reason.CARefused, errors.New("no")), 2 * time.Hour},
		"long before it at its own time":    {20 * 24 * time.Hour, "NewOrder", renew.Fail(renew.Never, reason.CARefused, errors.New("no")), 24 * time.Hour},
		"a pause at once":                   {20 * 24 * time.Hour, "NewOrder", &renew.Denied{Paused: true, Detail: "paused"}, 0},
		"a 429 that is too long at once":    {20 * 24 * time.Hour, "NewOrder", &renew.Denied{RetryAfter: 12 * 24 * time.Hour}, 0},
		"what would fail there too isn't":   {5 * 24 * time.Hour, "Locate", renew.Fail(renew.Never, reason.ZoneNotFound, errors.New("no zone")), 24 * time.Hour},
		"nor what is a setting of our own":  {5 * 24 * time.Hour, "OpenAccount", renew.Fail(renew.Never, reason.Configuration, errors.New("no eab")), 24 * time.Hour},
		"nor what storage has done to it":   {5 * 24 * time.Hour, "StageKey", renew.Fail(renew.Later, reason.StorageFailed, errors.New("no")), time.Minute},
		"nor a name that can't be answered": {5 * 24 * time.Hour, "Publish", renew.Fail(renew.Never, reason.PermissionDenied, errors.New("no")), 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := backed(t, "a.example")
			w.pass(5*24*time.Hour - tc.left)
			w.broken[tc.call] = tc.fails
			w.deliver("two", scheduled("www"))
			s := w.certificate(t, "www").Status
			if got := s.Due.Sub(w.now); s.Failures != 1 || (got-tc.due).Abs() > 10*time.Minute {
				t.Fatalf("due in %s, want %s; %+v", got, tc.due, s)
			}
			w.pass(time.Second)
			w.deliver("again", scheduled("www")) // a message that comes twice changes nothing about it
			if again := w.certificate(t, "www").Status; !again.Due.Equal(s.Due) || again.Failures != 1 {
				t.Errorf("then %+v", again)
			}
		})
	}
}

func TestWhatFailedAtTheSecondCAKeepsItsChoiceAndItsTime(t *testing.T) {
	w := backed(t, "a.example")
	w.choose(t, noRoom)
	w.broken["other NewOrder"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
	w.deliver("two", scheduled("www"))
	s := w.certificate(t, "www").Status
	if s.Fallback != noRoom || !strings.HasPrefix(s.Message, "at the second CA, "+otherDirectory+": ordering: 503") || s.NextAttempt.Sub(w.now) != time.Minute || !s.Due.Equal(s.NextAttempt) || s.Failures != 1 {
		t.Errorf("%+v", s)
	}
	w.leftOver(t)
	delete(w.broken, "other NewOrder")
	w.pass(time.Minute)
	if r := w.deliver("three", scheduled("www"))[0]; !r.Issued || len(w.otherCA.orders) != 1 || len(w.ca.orders) != 1 {
		t.Errorf("%+v, %d orders at the second CA, %d at the first", r, len(w.otherCA.orders), len(w.ca.orders))
	}
}

func TestAProfileThatTheSecondCADoesNotHaveSpendsNothing(t *testing.T) {
	w := backed(t, "a.example")
	w.ca.profiles = []string{"classic"}
	w.change(t, "www", func(want *inventory.Wanted) { want.Fallback.Profile = "classic" })
	w.choose(t, noRoom)
	w.deliver("two", scheduled("www"))
	s := w.certificate(t, "www").Status
	if s.Reason != reason.Configuration || !strings.Contains(s.Message, otherDirectory+" has no profiles") || len(w.otherCA.orders) != 0 {
		t.Errorf("%+v", s)
	}
	if w.buckets(t, ofOther(budget.NewOrdersPerAccount, "0")).TATNanos() != 0 {
		t.Error("something was spent")
	}
}
