package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// kept is a plan's input with one registered domain of five tokens, one of them kept for people,
// and one more each ten days; its bucket is full again in so long, so people have one while that is
// at most 40 days, and the planner while it is at most 30.
func kept(full time.Duration, cs ...inventory.Certificate) plan.Input {
	for i := range cs {
		if cs[i].InUse != nil {
			cs[i].InUse.RenewAt, cs[i].Booked = now.Add(-time.Minute), &inventory.Booking{Serial: cs[i].InUse.Serial}
		}
	}
	in := crowdedDomain(5, cs...)
	in.Share = 0.8
	in.Have = map[budget.Key]budget.Bucket{crowded: budget.BucketAt(now.Add(full).UnixNano())}
	return in
}

func TestWhatWouldEndOtherwiseTakesWhatIsKeptForPeople(t *testing.T) {
	for name, tc := range map[string]struct {
		full time.Duration
		c    inventory.Certificate
		want string // sent, kept or waits
	}{
		"what ends before the planner's next token":    {35 * day, adopted("www", 2*day), "kept"},
		"not what the planner has a token for":         {29 * day, adopted("www", 2*day), "sent"},
		"not what has time for the planner's next one": {35 * day, adopted("www", 6*day), "waits"},
		"not what has nothing to lose":                 {35 * day, fresh("www"), "waits"},
		"not what it can't save":                       {45 * day, adopted("www", 2*day), "waits"},
	} {
		t.Run(name, func(t *testing.T) {
			o, c := outcome(t, plan.Decide(kept(tc.full, tc.c)), "www")
			if o.Sends() != (tc.want != "waits") || o.Reserve != (tc.want == "kept") {
				t.Fatalf("sent %t, with what is kept %t: %s", o.Sends(), o.Reserve, c.Status.Message)
			}
			if said := strings.Contains(c.Status.Message, "with what is kept for people"); said != (tc.want == "kept") {
				t.Errorf("recorded: %s", c.Status.Message)
			}
		})
	}
}

// Of two that would end, one token is kept: the first to end has it; and nobody else who waits has
// any.
func TestOneTokenThatIsKeptSavesOne(t *testing.T) {
	p := plan.Decide(kept(35*day, adopted("second", 3*day), adopted("first", 2*day), adopted("later", 28*day), fresh("new")))
	for name, sent := range map[string]bool{"first": true, "second": false, "later": false, "new": false} {
		if o, _ := outcome(t, p, name); o.Sends() != sent || o.Reserve != sent {
			t.Errorf("%s: sent %t, with what is kept %t", name, o.Sends(), o.Reserve)
		}
	}
	o, c := outcome(t, p, "second")
	if !o.Endangered || c.Status.Reason != reason.Budget {
		t.Errorf("second: in danger %t, %s", o.Endangered, c.Status.Reason)
	}
	if m := c.Status.Message; !strings.Contains(m, "ask the CA for an override") || !strings.Contains(m, "would be enough") {
		t.Errorf("it doesn't say which limit would do: %s", m)
	}
}
