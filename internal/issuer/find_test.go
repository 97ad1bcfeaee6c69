package issuer

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestFindOrder(t *testing.T) {
	const a, b = "a.test", "b.test"
	asked := renew.NewOrder{Names: []string{b, a}, Profile: "classic", Replaces: "AA.AQ"}
	for name, row := range map[string]struct {
		pages [][]string      // nil: the CA has no list
		asked *renew.NewOrder // nil: as above
		made  []renew.NewOrder
		then  func(*fakeCA)
		want  string // id; empty: none is found
		looks int    // orders that were read
	}{
		"a CA without a list":        {made: []renew.NewOrder{asked}},
		"an empty list":              {pages: [][]string{{}}},
		"the one that was asked for": {pages: [][]string{{"1"}}, made: []renew.NewOrder{asked}, want: "1", looks: 1},
		"the newest of two":          {pages: [][]string{{"1"}, {"2"}}, made: []renew.NewOrder{asked, {Names: asked.Names, Profile: "classic", Replaces: "AA.AQ"}}, then: func(f *fakeCA) { f.orders["1"].Status = "valid" }, want: "2", looks: 1},
		"on another page":            {pages: [][]string{{"1"}, {}, {"2"}}, made: []renew.NewOrder{asked, {Names: []string{a}, Profile: "classic"}}, want: "1", looks: 2},
		"not one of fewer names":     {pages: [][]string{{"1"}}, made: []renew.NewOrder{{Names: []string{a}, Profile: "classic", Replaces: "AA.AQ"}}, looks: 1},
		"one of the CA's own choice of profile, where none was asked for": {pages: [][]string{{"1"}}, asked: &renew.NewOrder{Names: asked.Names, Replaces: "AA.AQ"}, made: []renew.NewOrder{asked}, want: "1", looks: 1},
		"not one of another profile":                                      {pages: [][]string{{"1"}}, made: []renew.NewOrder{{Names: asked.Names, Profile: "shortlived", Replaces: "AA.AQ"}}, looks: 1},
		"not one that replaces something else":                            {pages: [][]string{{"1"}}, made: []renew.NewOrder{{Names: asked.Names, Profile: "classic", Replaces: "AA.Ag"}}, looks: 1},
		"not one that is finalized":                                       {pages: [][]string{{"1"}}, made: []renew.NewOrder{asked}, then: func(f *fakeCA) { f.orders["1"].Status = "processing" }, looks: 1},
		"not one that failed":                                             {pages: [][]string{{"1"}}, made: []renew.NewOrder{asked}, then: func(f *fakeCA) { f.orders["1"].Status = "invalid" }, looks: 1},
		"one that is ready":                                               {pages: [][]string{{"1"}}, made: []renew.NewOrder{asked}, then: func(f *fakeCA) { f.orders["1"].Status = "ready" }, want: "1", looks: 1},
		"behind one that the CA knows no longer":                          {pages: [][]string{{"1", "99"}}, made: []renew.NewOrder{asked}, want: "1", looks: 2},
		"not beyond twenty others, for its price":                         {pages: [][]string{{"1", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2"}}, made: []renew.NewOrder{asked, {Names: []string{a}}}, looks: 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				for _, o := range row.made {
					if _, err := fx.ca.NewOrder(fx.ctx, o); err != nil {
						t.Fatal(err)
					}
				}
				fx.pages = row.pages
				asked := asked
				if row.asked != nil {
					asked = *row.asked
				}
				if row.then != nil {
					row.then(fx.fakeCA)
				}
				got, found, err := fx.ca.FindOrder(fx.ctx, asked)
				if errors.Is(err, renew.ErrNoList) != (row.pages == nil) || row.pages != nil && err != nil || found != (row.want != "") || found && got.URL != fx.url("order", row.want) {
					t.Errorf("%+v, %t, %v", got, found, err)
				}
				if n := len(fx.requests("order")); n != row.looks {
					t.Errorf("%d orders were read", n)
				}
			})
		})
	}
	t.Run("a list that can't be read says so, and orders nothing", func(t *testing.T) {
		for name, f := range map[string]fault{"garbled": answers(200, "<html>"), "overloaded": answers(503, "busy"), "not an object": answers(200, `{"orders":7}`)} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fx := open(t)
					fx.pages = [][]string{{}}
					fx.only("orders", func(int) fault { return f })
					_, found, err := fx.ca.FindOrder(fx.ctx, asked)
					if found || failure(t, err).Reason != reason.CAUnavailable || len(fx.requests("new")) != 0 {
						t.Errorf("%t, %v", found, err)
					}
				})
			})
		}
	})
}

func TestNextPage(t *testing.T) {
	for name, row := range map[string]struct {
		links []string
		want  string
	}{
		"none":                         {},
		"another relation":             {[]string{`<https://ca.test/d>;rel="index"`}, ""},
		"as RFC 8555 shows it":         {[]string{`<https://ca.test/orders?cursor=2>;rel="next"`}, "https://ca.test/orders?cursor=2"},
		"the second header":            {[]string{`<https://ca.test/d>;rel="index"`, `<https://ca.test/2>; rel="next"`}, "https://ca.test/2"},
		"the second of one header":     {[]string{`<https://ca.test/d>;rel="index", <https://ca.test/2>;rel="next"`}, "https://ca.test/2"},
		"without quotes":               {[]string{`<https://ca.test/2>; rel=next`}, "https://ca.test/2"},
		"relative to the page":         {[]string{`<2>;rel="next"`}, "https://ca.test/orders/2"},
		"a relation that begins alike": {[]string{`<https://ca.test/2>;rel="nextish"`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := nextPage(http.Header{"Link": row.links}, "https://ca.test/orders/1"); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}
