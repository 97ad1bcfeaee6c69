package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// certificates gives each certificate that something stands in the way of a finding of its own,
// with its end and what to do: those that fail first, and of these the one that ends first.
func (v *visit) certificates() {
	var ill []*inventory.Certificate
	healthy := 0
	for c := range v.wanted() {
		if v.stateOf(c) == OK {
			healthy++
			continue
		}
		ill = append(ill, c)
	}
	slices.SortStableFunc(ill, func(a, b *inventory.Certificate) int {
		return cmp.Or(cmp.Compare(v.stateOf(a), v.stateOf(b)), endOf(a).Compare(endOf(b))) // "fail" comes before "warn"
	})
	for _, c := range ill {
		v.certificate(c)
	}
	v.say("certificates", "", OK, "%d have nothing in their way", healthy)
}

// endOf is when what is in use ends. Of what never was in use somebody has waited since it was
// wanted.
func endOf(c *inventory.Certificate) time.Time {
	if c.InUse == nil {
		return c.Wanted.Since
	}
	return c.InUse.NotAfter
}

func (v *visit) certificate(c *inventory.Certificate) {
	at := c.Standing(v.Now)
	f := Finding{
		Check: "certificates", Subject: c.Name, State: v.stateOf(c), Message: cmp.Or(at.Message, at.Word()), Reason: at.State,
		NotAfter: given(at.End), NextAttempt: given(at.Next), Act: v.act(c, at),
	}
	f.Message += owes(c)
	switch {
	case at.End.IsZero():
	case !at.End.After(v.Now):
		f.Message = "it ended at " + at.End.Format(time.RFC3339) + ": " + f.Message
	case c.Endangered(v.Now):
		f.Message = "it ends at " + at.End.Format(time.RFC3339) + ", and its successor may not be there by then: " + f.Message
	}
	v.found = append(v.found, f)
}

// given is a time in JSON, whole seconds; null for none.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// disabled says what is switched off and still in use: nobody renews it.
func (v *visit) disabled() {
	var names []string
	first := time.Time{}
	for i := range v.fleet {
		c := &v.fleet[i]
		if !c.SwitchedOff(v.Now) || !v.examines(c.Name) {
			continue
		}
		if names = append(names, c.Name); first.IsZero() || c.InUse.NotAfter.Before(first) {
			first = c.InUse.NotAfter
		}
	}
	if len(names) > 0 {
		v.say("disabled", "", OK, "%d certificates are in use and disabled, so nobody renews them; the first ends at %s: %s", len(names), first.UTC().Format(time.RFC3339), some(names))
	}
}

// stateOf is a certificate's health: it fails where what is in use ended, or may end before its
// successor is there, by the rule of every other warning (inventory.Certificate.Endangered), and
// where waiting doesn't help.
func (v *visit) stateOf(c *inventory.Certificate) State {
	s := &c.Status
	switch {
	case c.Endangered(v.Now):
		return Fail
	case s.Reason == reason.AccountPaused, s.Reason == reason.Invalid, c.AwaitsPerson(), behind(c, v.Now):
		return Fail
	case s.Failures > 0, owes(c) != "":
		return Warn
	}
	return OK
}

func behind(c *inventory.Certificate, now time.Time) bool {
	_, is := c.LeftBehind(now)
	return is
}

// owes are the words for a follow-up that failed; empty where none did.
func owes(c *inventory.Certificate) string {
	f, failed := c.FailedFollowup()
	if !failed {
		return ""
	}
	say := fmt.Sprintf("; owed, and failed %d times: %s", f.Failures, f.Message)
	if !f.Ends.IsZero() {
		say += "; who reads from there has the certificate of before, until " + f.Ends.UTC().Format(time.RFC3339)
	}
	return say
}
