package crash

import (
	"context"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/reason"
)

// past is what there was before an issuance was disturbed.
type past struct {
	at     time.Time
	orders map[string]int            // by the certificate's name, of its set of names
	made   map[string]int            // the same
	stored map[string]witness.Stored // by the certificate's name; nothing before the first issuance
}

func (c *cell) past() past {
	c.t.Helper()
	p := past{at: time.Now().Add(-time.Millisecond), orders: map[string]int{}, made: map[string]int{}, stored: map[string]witness.Stored{}}
	for _, e := range c.fleet {
		p.orders[e.Name], p.made[e.Name] = len(c.OrdersOf(e.Domains...)), len(c.CertificatesOf(e.Domains...))
		if p.made[e.Name] > 0 {
			p.stored[e.Name] = c.Stored(c.t, e.Name)
		}
	}
	return p
}

// sharing counts the certificates with the names of one.
func (c *cell) sharing(e witness.Entry) (n int) {
	for _, other := range c.fleet {
		if slices.Equal(other.Domains, e.Domains) {
			n++
		}
	}
	return n
}

// issue has all certificates issued with one call meeting a fate, and holds what must be so afterwards. lost is the newOrder of which the answer may
// have been lost, 0 for none. False is returned where the call was never made.
func (c *cell) issue(aim call, f fate, lost int) (met bool) {
	c.t.Helper()
	before := c.past()
	met = c.disturb(aim, f)
	c.finish(before, lost)
	return met
}

// finish has everything that is left carried out, and holds what must be so afterwards.
func (c *cell) finish(before past, lost int) {
	c.t.Helper()
	c.settle(before.at)
	for _, e := range c.fleet {
		c.atTheCA(e, before, lost)
		c.inUse(e, before)
	}
	c.nothingLeft()
}

// atTheCA holds that there is one certificate for each that was wanted, and one order; two only where the answer that told of the first was lost,
// and then one of them was never finalized. Where the CA hands pending orders out again there is no second one, but for two cases: an order of the
// same names that is done hides it, and one for a renewal says what it replaces, which the next may not say again.
func (c *cell) atTheCA(e witness.Entry, before past, lost int) {
	c.t.Helper()
	want := c.sharing(e)
	var urls []string
	valid := 0
	for _, o := range c.OrdersOf(e.Domains...)[before.orders[e.Name]:] {
		if slices.Contains(urls, o.URL) {
			continue
		}
		urls = append(urls, o.URL)
		if c.CA.StatusOf(o.URL) == "valid" {
			valid++
		}
	}
	most := want
	if lost > 1 || lost == 1 && (!c.OrderReuse || before.made[e.Name] > 0) {
		most++
	}
	if len(urls) < want || len(urls) > most || valid != want {
		c.t.Errorf("the CA has %d orders of %s, %d of them valid; want %d valid ones and at most %d", len(urls), e.Name, valid, want, most)
	}
	if made := c.CertificatesOf(e.Domains...)[before.made[e.Name]:]; len(made) != want {
		c.t.Errorf("the CA signed %d certificates for %s, want %d", len(made), e.Name, want)
	}
}

// inUse holds that consumers read what the CA signed, with its key, and that everybody knows.
func (c *cell) inUse(e witness.Entry, before past) {
	c.t.Helper()
	now := c.Stored(c.t, e.Name)
	signed := false
	for _, made := range c.CertificatesOf(e.Domains...)[before.made[e.Name]:] {
		signed = signed || made.Serial == now.Serial
	}
	if !signed || now.KeyType != e.KeyType {
		c.t.Errorf("in use is %s with a key of type %s; it isn't one that the CA signed now, or not the right one", now.Serial, now.KeyType)
	}
	want := map[string]string{witness.Current: now.VersionID}
	if old, had := before.stored[e.Name]; had {
		want[witness.Previous] = old.VersionID
	}
	if len(now.Stages) != len(want) || now.Stages[witness.Previous] != want[witness.Previous] {
		c.t.Errorf("labels are %v, want %v", now.Stages, want)
	}
	if s := c.Status(c.t, e.Name); s.Reason != reason.NotDue || s.Serial != now.Serial || s.VersionID != now.VersionID || s.Failures != 0 || s.InProgress ||
		len(s.Followups) > 0 {
		c.t.Errorf("status is %+v", s)
	}
	told := 0
	for _, v := range c.EventsOf(c.t, e.Name) {
		if v.Kind == event.CertificateIssued && v.Detail.VersionID == now.VersionID {
			told++
		}
	}
	if told == 0 {
		c.t.Errorf("the bus was never told of version %s", now.VersionID)
	}
}

// nothingLeft holds that nothing of an issuance under way is left: no challenge value, no key, no lease, no message.
func (c *cell) nothingLeft() {
	c.t.Helper()
	values, err := c.ValuesIn(context.Background(), c.zone)
	if err != nil || len(values) > 0 {
		c.t.Errorf("challenge values are left at %v (%v)", values, err)
	}
	if keys := c.SecretsUnder(c.t, "pending/"); len(keys) > 0 {
		c.t.Errorf("keys in progress are left: %v", keys)
	}
	for i, err := range c.Table.EachIssuance(context.Background()) {
		c.t.Errorf("an issuance of %s is left open (%v)", i.Certificate, err)
	}
	if until := c.LeaseEnds(c.t); until.After(time.Now()) {
		c.t.Errorf("the worker's lease is left until %s", until)
	}
	if n := c.Queued(c.t); n > 0 {
		c.t.Errorf("%d messages are on the queue", n)
	}
}
