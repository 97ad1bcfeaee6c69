package renew_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Whatever a CA shows for an order, values are written for the names that were ordered, and for no others.
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
