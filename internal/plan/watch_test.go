package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// overdue are n watches that are due, the longest due first, of which the last some were answered so long ago.
func overdue(n, some int, ago time.Duration) []Watch {
	ws := make([]Watch, 0, n)
	for i := range n {
		w := Watch{Certificate: fmt.Sprint(i), Asked: noon.Add(-7 * time.Hour), Next: noon.Add(-time.Hour)}
		if i >= n-some {
			w.Asked = noon.Add(-ago)
		}
		ws = append(ws, w)
	}
	return ws
}

// A tick has 300 s for questions: 1,500 of them at 5 a second, 7,500 at 25.
func TestChoose(t *testing.T) {
	for name, tc := range map[string]struct {
		due  []Watch
		calm bool
		ask  int
		rate float64
	}{
		"what 5 a second carry is asked at 5 a second":                   {overdue(1500, 0, 0), false, 1500, 5},
		"what is more waits while none of it is half a day old":          {overdue(4000, 0, 0), false, 1500, 5},
		"what would be half a day old by the next tick is asked as well": {overdue(4000, 900, 12*time.Hour-15*time.Minute), false, 2400, 8},
		"what is a little younger waits":                                 {overdue(4000, 900, 12*time.Hour-16*time.Minute), false, 1500, 5},
		"never more than 25 a second":                                    {overdue(20000, 20000, 13*time.Hour), false, 7500, 25},
		"and no more than 5 a second after a CA was overloaded":          {overdue(20000, 20000, 13*time.Hour), true, 1500, 5},
		"nothing that is due is nothing to ask":                          {nil, false, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			if ask, rate := choose(tc.due, noon, 15*time.Minute, 5*time.Minute, tc.calm); len(ask) != tc.ask || rate != tc.rate {
				t.Errorf("%d at %v a second, want %d at %v", len(ask), rate, tc.ask, tc.rate)
			}
		})
	}
}

// Behind 5,000 of one CA, in an hour in which 1,500 are asked, the first few of another come first.
func TestTheFirstFewOfEachIssuerAreAskedFirst(t *testing.T) {
	due := overdue(5000, 0, 0)
	for i := range due {
		due[i].Issuer = "CN=R10"
		if i >= 4900 {
			due[i].Issuer = "CN=E7"
		}
	}
	ask, _ := choose(eachIssuer(due), noon, 15*time.Minute, 5*time.Minute, false)
	few := 0
	for _, w := range ask {
		if w.Issuer == "CN=E7" {
			few++
		}
	}
	if len(ask) != 1500 || few != sample {
		t.Errorf("%d asked, %d of them of the issuer that has few; want %d", len(ask), few, sample)
	}
	if ask[0].Certificate != "0" || ask[sample].Certificate != "4900" || ask[2*sample].Certificate != "30" {
		t.Errorf("in the order %s, %s, %s", ask[0].Certificate, ask[sample].Certificate, ask[2*sample].Certificate)
	}
}

// A first question comes within six hours, or an eighth of a short life; so does the next, where
// the CA doesn't say.
func TestAShortLifeIsAskedAboutSooner(t *testing.T) {
	for life, most := range map[time.Duration]time.Duration{time.Hour: 8 * time.Minute, 24 * time.Hour: 3 * time.Hour, 160 * time.Hour: 6 * time.Hour} {
		c := inventory.Certificate{Name: "www", InUse: &inventory.InUse{CertID: "a.b", NotBefore: noon, NotAfter: noon.Add(life), IssuedAt: noon}}
		c.Wanted.Enabled = true
		w := watchOf(c, noon)
		if w.Next.IsZero() || w.Next.Before(noon) || w.Next.After(noon.Add(most)) {
			t.Errorf("%s: first asked at %s", life, w.Next)
		}
		if next := w.answered(Answer{}, noon).Next; next.IsZero() || next.After(noon.Add(most)) || next.Before(noon.Add(time.Minute)) {
			t.Errorf("%s: asked again at %s", life, next)
		}
		if next := w.answered(Answer{RetryAfter: 10 * time.Minute}, noon).Next; !next.Equal(noon.Add(10 * time.Minute)) {
			t.Errorf("%s: asked again at %s, where the CA said ten minutes", life, next)
		}
	}
}
