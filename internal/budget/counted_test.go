package budget_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
)

// timeout is the longest that a request takes in these tests.
const timeout = 30 * time.Second

// However many orders are sent one after the other, each answered within its time, what is dated
// anew is never full before the CA's own bucket, and only as much later as one
// request takes, and a token.
func TestWhatTheCAHasCountedIsNeverFullBeforeTheCAs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := budget.Key{CA: "ca.example", Limit: budget.NewOrdersPerAccount, Subject: "0"}
		l := budget.Limit{
			Burst: rapid.Int64Range(1, 20).Draw(t, "burst"), Count: 1,
			Period: time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "emission")),
		}
		limits, now := budget.Limits{k.Limit: l}, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		var ours, theirs budget.Bucket
		for range rapid.IntRange(1, 40).Draw(t, "orders") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "pause")))
			most := time.Duration(rapid.Int64Range(0, int64(timeout)).Draw(t, "timeout"))
			after, d := budget.Spend(l, ours, now, now.Add(most))
			if !d.Allowed {
				continue
			}
			spent := []budget.Write{{Key: k, Read: ours, New: after}}
			reached := now.Add(time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, "until the CA")))
			answered := reached.Add(time.Duration(rapid.Int64Range(0, int64(most-reached.Sub(now))).Draw(t, "back")))
			theirs, d = budget.Spend(l, theirs, reached, reached)
			if !d.Allowed {
				t.Fatalf("the CA denies an order at %s: ours was %s, its own is full at %s", reached, ours.TAT, theirs.TAT)
			}
			ours = after
			for _, w := range budget.Counted(limits, spent, answered) {
				if !w.Read.Equal(after) {
					t.Fatalf("the write reads %s, the order left %s", w.Read.TAT, after.TAT)
				}
				ours = w.New
			}
			now = answered
			if ours.TAT.Before(theirs.TAT) {
				t.Fatalf("ours is full at %s, the CA's at %s", ours.TAT, theirs.TAT)
			}
			if late := ours.TAT.Sub(theirs.TAT); late > timeout+l.Emission() {
				t.Fatalf("ours is full %s after the CA's, of which a request can explain %s", late, timeout)
			}
		}
	})
}

func TestCounted(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	key := budget.Key{CA: "ca.example", Limit: budget.NewOrdersPerAccount, Subject: "0"}
	domain := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com"}
	limits := budget.Limits{
		key.Limit:    {Burst: 10, Count: 10, Period: 100 * time.Second},
		domain.Limit: {Burst: 10, Count: 10, Period: 100 * time.Second},
	}
	at := func(s int) budget.Bucket { return budget.Bucket{TAT: now.Add(time.Duration(s) * time.Second)} }
	for _, c := range []struct {
		what      string
		key       budget.Key
		read, new budget.Bucket
		want      budget.Bucket // zero: nothing is written
	}{
		{"a full bucket, dated half a minute ahead", key, budget.Bucket{}, at(40), at(11)},
		{"one that was in use stands behind what was there", key, at(5), at(40), at(15)},
		{"one that stands in line is dated right already", key, at(60), at(70), budget.Bucket{}},
		{"less than a token", key, at(25), at(40), budget.Bucket{}},
		{"a whole token", key, at(20), at(40), at(30)},
		{"what is counted at issuance isn't yet", domain, budget.Bucket{}, at(40), budget.Bucket{}},
		{"no limit, no bucket", budget.Key{CA: key.CA, Limit: budget.NewRegistrationsPerIP, Subject: "any"}, budget.Bucket{}, at(40), budget.Bucket{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			writes := budget.Counted(limits, []budget.Write{{Key: c.key, Read: c.read, New: c.new}}, now.Add(time.Second))
			switch {
			case c.want.TAT.IsZero() && len(writes) > 0:
				t.Errorf("written is %+v", writes)
			case !c.want.TAT.IsZero() && (len(writes) != 1 || !writes[0].New.Equal(c.want) || !writes[0].Read.Equal(c.new)):
				t.Errorf("written is %+v, want %s", writes, c.want.TAT)
			}
		})
	}
}
