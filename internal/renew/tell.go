package renew

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// Telling a CA to look at a challenge is a validation, each time. Let's Encrypt leaves the
// challenge pending while it validates, so a look at it doesn't say whether it was told, and it
// counts each validation that fails: of five an hour. So nothing is told again before a validation
// has had its time, and each further telling is counted as a failure of the one before
// (docs/decisions/0052-each-telling-counts.md).

// validationTime is what a CA is given to look, before it is taken not to have heard.
const validationTime = 30 * time.Second

// mostTellings is how often one invocation tells a CA again that doesn't seem to hear.
const mostTellings = 3

// markAtOnce is how many names are written down as told before the first of them is: a process that
// dies in between has the others counted as failed once.
const markAtOnce = 10

// telling is what an invocation knows of what it told the CA.
type telling struct {
	doubts   map[string]bool // names of which it isn't known whether the CA heard that it is to look
	retellAt time.Time       // when they may be told again
	rounds   int             // how often that was done
}

// untold lists those of open that may be told now. The others were told a moment ago by an earlier
// invocation: the CA may be looking.
func (c *carrier) untold(open []Challenge) []Challenge {
	until := c.iss.ToldAt.Add(validationTime)
	if !until.After(c.Now()) {
		return open
	}
	return slices.DeleteFunc(slices.Clone(open), func(ch Challenge) bool {
		told := slices.Contains(c.iss.Told, ch.Domain)
		if told {
			c.doubt(ch.Domain, until)
		}
		return told
	})
}

func (c *carrier) doubt(name string, until time.Time) {
	c.doubts[name] = true
	if until.After(c.retellAt) {
		c.retellAt = until
	}
}

// tellAgain tells the CA once more of the challenges that are still pending although it was told,
// perhaps.
func (c *carrier) tellAgain(order Order) error {
	if c.rounds++; c.rounds > mostTellings {
		return Fail(Later, reason.CAUnavailable, fmt.Errorf("asking the CA to look: after %d times it isn't known whether it heard", mostTellings+1))
	}
	open, err := c.open(order)
	if err != nil {
		return err
	}
	c.glances = later(c.glances, c.Now().Add(firstGlance)) // the authorizations have just been read
	doubtful := slices.DeleteFunc(open, func(ch Challenge) bool { return !c.doubts[ch.Domain] })
	clear(c.doubts)
	return c.tell(doubtful)
}

// tell asks the CA to look, at each challenge once.
func (c *carrier) tell(open []Challenge) error {
	for some := range slices.Chunk(open, markAtOnce) {
		if err := c.mark(some); err != nil {
			return err
		}
		for _, ch := range some {
			asked, err := c.ca.Accept(c.work, ch)
			c.told = max(c.told, asked)
			c.iss.ToldAt = c.Now()
			if !unknown(err) && err != nil {
				return fmt.Errorf("asking the CA to look at %s: %w", ch.Domain, err)
			}
			if err != nil {
				c.log.Warn("it isn't known whether the CA heard that it is to look", "name", ch.Domain, "cause", err.Error())
				c.doubt(ch.Domain, later(c.iss.ToldAt.Add(validationTime), notBefore(err)))
			}
		}
	}
	if len(c.doubts) > 0 {
		return c.fits(c.retellAt, "asking the CA once more to look")
	}
	return nil
}

// mark writes down that the CA is told of these challenges, before it is. Of what it was told
// before, a validation may have failed of which nobody hears any more, so that is counted.
func (c *carrier) mark(some []Challenge) error {
	var before, first []string
	for _, ch := range some {
		if slices.Contains(c.iss.Told, ch.Domain) {
			before = append(before, ch.Domain)
		} else {
			first = append(first, ch.Domain)
		}
	}
	if len(before) > 0 {
		if err := c.countFailures(before); err != nil {
			return fmt.Errorf("asking the CA once more to look: %w", err)
		}
	}
	c.iss.ToldAt = c.Now()
	if len(first) == 0 {
		return nil
	}
	c.iss.Told = append(slices.Clone(c.iss.Told), first...)
	return c.progress()
}

// heed waits until the CA, by its answer err, may be asked again.
func (r *run) heed(err error) error {
	at := notBefore(err)
	if !at.After(r.Now()) {
		return nil
	}
	if err := r.fits(at, "asking the CA again"); err != nil {
		return err
	}
	return r.Sleep(r.work, at.Sub(r.Now()))
}

// fits says by its error that this invocation is over before a moment that the CA named.
func (r *run) fits(at time.Time, doing string) error {
	deadline, ok := r.work.Deadline()
	if !ok || !at.After(deadline) {
		return nil
	}
	at = r.cert.AttemptBy(at, r.Now())
	return &Failure{Kind: Later, Reason: reason.CAUnavailable, At: at, Working: true, Err: fmt.Errorf(
		"%s: it wants to be left alone for longer than this invocation; it is, until %s", doing, stamp(at))}
}

// notBefore is when the CA wants to be asked again, zero where it didn't say.
func notBefore(err error) time.Time {
	var f *Failure
	if errors.As(err, &f) {
		return f.At
	}
	return time.Time{}
}
