package renew_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Whatever a CA shows for an order, values are written for the names that were ordered, and for no
// others.
func TestWhatTheCAShowsIsHeldAgainstWhatWasOrdered(t *testing.T) {
	ordered := []string{"*.a.example", "a.example"}
	authz := func(i int, change func(*renew.Authorization)) func(*ca) {
		return func(c *ca) {
			c.shown = func(as []renew.Authorization) []renew.Authorization { change(&as[i]); return as }
		}
	}
	for name, row := range map[string]struct {
		lie    func(*ca)
		names  []string // that are ordered; else both
		issued bool
		says   string
	}{
		"an authorization for another name":    {lie: authz(1, func(a *renew.Authorization) { a.Name, a.Challenge.Domain = "victim.example", "victim.example" }), says: `"victim.example"`},
		"an authorization for a parent":        {lie: authz(1, func(a *renew.Authorization) { a.Name, a.Challenge.Domain = "example", "example" }), says: `"example"`},
		"a wildcard's for a name without":      {lie: authz(1, func(a *renew.Authorization) { a.Name = "*.*.a.example" }), says: `"*.*.a.example"`},
		"two authorizations for one name":      {lie: authz(1, func(a *renew.Authorization) { a.Name = "*.a.example" }), says: `"*.a.example"`},
		"a challenge that names another place": {lie: authz(1, func(a *renew.Authorization) { a.Challenge.Domain = "victim.example" }), issued: true},
		"a wildcard's that doesn't say so":     {lie: authz(0, func(a *renew.Authorization) { a.Name, a.Challenge.Domain = "a.example", "a.example" }), names: ordered[:1], issued: true},
		"more authorizations than names": {lie: func(c *ca) {
			c.order = func(o *renew.Order) { o.Authorizations = append(o.Authorizations, "x") }
		}, says: "3 authorizations for 2 names"},
		"an order for other names": {lie: func(c *ca) {
			c.order = func(o *renew.Order) { o.Names = []string{"a.example", "victim.example"} }
		}, says: `"victim.example"`},
		"an order without names": {lie: func(c *ca) { c.order = func(o *renew.Order) { o.Names = nil } }, issued: true},
		"an order whose names are spelled otherwise": {lie: func(c *ca) {
			c.order = func(o *renew.Order) { o.Names = []string{"A.example.", "*.A.EXAMPLE"} }
		}, issued: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if row.names == nil {
				row.names = ordered
			}
			w.want(t, "www", slices.Clone(row.names)...)
			row.lie(w.ca)
			var written []string
			w.interrupt = func(call string) {
				if call == "Publish" {
					written = append(written, call)
				}
			}
			r := w.deliver("one", scheduled("www"))[0]
			s := w.certificate(t, "www").Status
			if r.Issued != row.issued {
				t.Fatalf("%+v: %+v", r, s)
			}
			if row.issued {
				return
			}
			if s.Reason != reason.CARefused || !strings.Contains(s.Message, row.says) || len(written) > 0 || w.ordersSent() != 1 {
				t.Errorf("%+v, published %d times, %d orders", s, len(written), w.ordersSent())
			}
			w.leftOver(t)
		})
	}
}

func TestNamesThatTheCAAddsByCustomAreTakenAndTold(t *testing.T) {
	for name, row := range map[string]struct {
		ordered, signed []string
		added           string // empty: it isn't taken
	}{
		"the name with www":          {[]string{"a.example"}, []string{"a.example", "www.a.example"}, "www.a.example"},
		"the name without www":       {[]string{"www.a.example"}, []string{"www.a.example", "a.example"}, "a.example"},
		"the domain of a wildcard":   {[]string{"*.a.example"}, []string{"*.a.example", "a.example"}, "a.example"},
		"another name":               {[]string{"a.example"}, []string{"a.example", "b.example"}, ""},
		"a wildcard":                 {[]string{"a.example"}, []string{"a.example", "*.a.example"}, ""},
		"another name with www":      {[]string{"a.example"}, []string{"a.example", "www.b.example"}, ""},
		"a name in place of another": {[]string{"a.example"}, []string{"www.a.example"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", row.ordered...)
			w.interrupt = func(call string) {
				if call == "Download" {
					w.ca.orders[len(w.ca.orders)-1].chain = w.signed(t, w.ca, w.stagedPublic(), row.signed...)
				}
			}
			r := w.deliver("one", scheduled("www"))[0]
			if r.Issued != (row.added != "") {
				t.Fatalf("%+v: %+v", r, w.certificate(t, "www").Status)
			}
			if !r.Issued {
				return
			}
			c := w.certificate(t, "www")
			if !slices.Equal(c.InUse.Domains, row.ordered) || c.Changed() || !slices.Equal(w.vault.current["www"].Bundle.Domains, row.ordered) {
				t.Errorf("in use is %v, changed: %v", c.InUse.Domains, c.Changed())
			}
			told := w.events[len(w.events)-1].Detail.Message
			if !strings.Contains(told, "the CA added "+row.added) || !strings.Contains(c.Status.Message, row.added) {
				t.Errorf("told %q, status %q", told, c.Status.Message)
			}
			w.interrupt = nil
			before := len(w.ca.orders)
			w.pass(48 * time.Hour)
			w.deliver("two", scheduled("www"))
			if n := len(w.ca.orders) - before; n != 0 {
				t.Errorf("%d more orders", n)
			}
		})
	}
}

func TestAnAuthorizationThatFailedWithoutWordsIsCounted(t *testing.T) {
	for name, row := range map[string]struct {
		shown  renew.Authorization
		order  renew.OrderStatus
		says   string
		within time.Duration
	}{
		"one that is invalid without words":         {renew.Authorization{Status: renew.Invalid}, renew.Invalid, "no more than that it is invalid", time.Minute},
		"one that is left pending with an error":    {renew.Authorization{Status: renew.Pending, Problem: "keyAuthorization does not match"}, renew.Pending, "does not match", 2 * time.Minute},
		"one that is invalid, its order with words": {renew.Authorization{Status: renew.Invalid}, renew.Invalid, "no more than that", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.skipped = "Accept"
			told := false
			w.interrupt = func(call string) { told = told || call == "Accept" }
			w.ca.shown = func(as []renew.Authorization) []renew.Authorization {
				if told {
					as[0].Status, as[0].Problem = row.shown.Status, row.shown.Problem
				}
				return as
			}
			w.ca.order = func(o *renew.Order) {
				if told {
					o.Status = row.order
				}
			}
			began := w.clock()
			r := w.deliver("one", scheduled("www"))[0]
			s := w.certificate(t, "www").Status
			if r.Issued || s.Reason != reason.ValidationFailed || !strings.Contains(s.Message, row.says) || !s.Rehearse {
				t.Errorf("%+v", s)
			}
			if took := w.clock().Sub(began); took > row.within {
				t.Errorf("took %s", took)
			}
			if got := w.buckets(t, key(budget.FailedAuthorizations, budget.FailureSubject("0", "a.example"))); got == (budget.Bucket{}) {
				t.Error("it isn't counted")
			}
			if n := w.ordersSent(); n != 1 {
				t.Errorf("%d orders", n)
			}
		})
	}
}

// Whatever authorizations a CA shows for an order, and whatever names the order, no value is
// written for a name that wasn't ordered, and never more than one for each.
func TestNoValueIsWrittenForANameThatWasNotOrdered(t *testing.T) {
	pool := []string{"a.example", "*.a.example", "b.a.example", "example", "*.example", "victim.test", "*.victim.test", "A.example", "a.example.", ""}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		ordered := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a.example", "*.a.example", "b.a.example"}), 1, 3, rapid.ID[string]).Draw(rt, "ordered")
		w.want(t, "www", slices.Clone(ordered)...)
		shown := rapid.SliceOfN(rapid.SampledFrom(pool), 0, 5).Draw(rt, "authorizations")
		w.ca.shown = func(as []renew.Authorization) []renew.Authorization {
			var lied []renew.Authorization
			for i, n := range shown {
				a := as[i%len(as)]
				a.Name, a.Challenge.Domain = n, rapid.SampledFrom(pool).Draw(rt, "domain")
				lied = append(lied, a)
			}
			return lied
		}
		if rapid.Bool().Draw(rt, "the order lies too") {
			names := rapid.SliceOf(rapid.SampledFrom(pool)).Draw(rt, "names")
			w.ca.order = func(o *renew.Order) { o.Names = names }
		}
		w.interrupt = func(call string) {
			if call != "Accept" && call != "Remove" {
				return
			}
			seen := map[string]bool{}
			for r := range w.zone {
				if !slices.Contains(ordered, r.Domain) || seen[r.Domain] {
					rt.Fatalf("a value was written for %q, ordered were %q, shown %q", r.Domain, ordered, shown)
				}
				seen[r.Domain] = true
			}
		}
		w.deliver("one", scheduled("www"))
	})
}
