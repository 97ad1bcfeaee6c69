package inventory

import "time"

// ConsumersEnd is when the first of c's consumers is left without a valid certificate: the end of
// what is in use, or that of what is served where a follow-up hasn't brought it yet. ACM, and a
// secret's copies, go on with what they had. Zero where nothing is in use.
func (c *Certificate) ConsumersEnd() time.Time {
	if c.InUse == nil {
		return time.Time{}
	}
	end := c.InUse.NotAfter
	for _, f := range c.Followups {
		if !f.Ends.IsZero() {
			end = earlier(end, f.Ends)
		}
	}
	return end
}

// LeftBehind is a follow-up whose consumers may be left without a valid certificate though c has
// one: what they have comes to its last part, of a life as long as that of what is in use, and
// either the follow-up has failed, or its time comes too late, or nobody looked at it when that had
// come.
func (c *Certificate) LeftBehind(now time.Time) (f Followup, behind bool) {
	if c.InUse == nil {
		return f, false
	}
	for _, f := range c.Followups {
		if f.Ends.IsZero() || !f.Ends.Before(c.InUse.NotAfter) {
			continue
		}
		known := f.Failures == 0 && now.Sub(f.Next) <= unseen
		if later(f.Next, now).Add(issuanceTakes).After(f.Ends) || !known && !now.Before(f.Ends.Add(-c.InUse.lastPart())) {
			return f, true
		}
	}
	return f, false
}

// FailedFollowup is the first follow-up that failed.
func (c *Certificate) FailedFollowup() (f Followup, failed bool) {
	for _, f := range c.Followups {
		if f.Failures > 0 {
			return f, true
		}
	}
	return f, false
}

// ConsumersLastPart is when the last part of the life of what the first of c's consumers has
// begins. Zero where nothing is in use.
func (c *Certificate) ConsumersLastPart() time.Time {
	if c.InUse == nil {
		return time.Time{}
	}
	return c.ConsumersEnd().Add(-c.InUse.lastPart())
}

// lastPart is how long the last part of the life of u is.
func (u InUse) lastPart() time.Duration { return u.NotAfter.Sub(u.LastPart()) }

// before is the delivery f with the end of what its consumers have until it is done: of what
// another one of the same kind still owes them, or of what was in use. Tags have no consumer that
// could be left without a certificate.
func (c *Certificate) before(f Followup) Followup {
	if f.Kind == DressSaved && len(c.Wanted.Secret.Replicas) == 0 || f.Kind == Revoke {
		return f
	}
	for _, owed := range c.Followups {
		if owed.same(f) && !owed.Ends.IsZero() {
			f.Ends = owed.Ends
			return f
		}
	}
	if c.InUse != nil && c.InUse.SecretARN != "" {
		f.Ends = c.InUse.NotAfter
	}
	return f
}

// Deliveries are where what replaces c's certificate is brought, each with the end of what is there
// until then.
func (c *Certificate) Deliveries() []Followup {
	all := c.Wanted.Deliveries()
	for i := range all {
		all[i] = c.before(all[i])
	}
	return all
}
