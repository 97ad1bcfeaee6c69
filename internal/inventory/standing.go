package inventory

import (
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// Standing is where a certificate stands, in the words and moments in which every verb says it.
// Times are UTC.
type Standing struct {
	State   reason.Reason // empty: it is new, and nobody has looked at it yet
	Message string
	Next    time.Time // when something happens to it next; zero: nothing will by itself
	End     time.Time // of what is in use; zero where nothing is
}

// Word is the state for people.
func (s Standing) Word() string {
	if s.State == "" {
		return "new"
	}
	return string(s.State)
}

// Standing says where c stands at a moment. What is recorded is of the time before: an invocation
// that holds the certificate now, and what the fleet file says since, are not in it.
func (c Certificate) Standing(now time.Time) Standing {
	s := Standing{State: c.Status.Reason, Message: c.Status.Message, Next: c.next(now).UTC()}
	if c.InUse != nil {
		s.End = c.InUse.NotAfter.UTC()
	}
	if c.Status.Reason == reason.NotDue { // as it was when somebody looked last
		s.Message = c.since(now, s.Message)
	}
	switch {
	case c.Underway(now):
		s.State, s.Message, s.Next = reason.InProgress, "being issued"+c.atSecond()+"; if that dies, the next one goes on from then", c.Status.Due.UTC()
	case !c.Wanted.Enabled:
		s.State, s.Next = reason.Disabled, time.Time{}
		if c.Status.Reason != reason.Disabled {
			s.Message = "disabled in the fleet file"
		}
	}
	return s
}

// since is the message of what was not due, by what was wished since.
func (c Certificate) since(now time.Time, message string) string {
	switch {
	case c.Status.Asked != nil:
		return "asked for by hand (" + c.Status.Asked.Reason + ")"
	case c.Need(now).Why == NeedChanged:
		return "changed in the fleet file: what is in use is replaced"
	}
	return message
}

// atSecond says that the second CA issues it.
func (c Certificate) atSecond() string {
	if c.Status.Fallback == "" {
		return ""
	}
	return " by the second CA (" + c.Status.Fallback + ")"
}

// next is when something happens to c next, by what is recorded.
func (c Certificate) next(now time.Time) time.Time {
	s := &c.Status
	switch {
	case s.Reason == reason.Scheduled:
		return s.Start
	case c.AwaitsPerson():
		return time.Time{}
	case s.Reason == reason.Budget, s.Reason == reason.WorkerFull, s.Reason == reason.InProgress, s.Reason == reason.RecentlyIssued:
		at, _ := c.Turn(now) // not when somebody only looks again
		return later(at, s.NextAttempt)
	case !s.NextAttempt.IsZero():
		return s.NextAttempt
	case s.Reason == reason.CACooling:
		return s.Due
	case s.Asked != nil: // a wish that has to wait comes before the schedule
		return s.Due
	}
	return c.Need(now).At
}
