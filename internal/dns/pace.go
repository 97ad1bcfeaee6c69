package dns

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// urgency says which of the requests that wait for their turn goes first.
type urgency int

const (
	publishing urgency = iota // a wait for the servers begins with it
	looking                   // a wait may end with it
	tidying                   // nobody waits for it
)

// pacer gives requests to Route 53 their turns: an AWS account has one API rate for all who use Route 53 in it. The most urgent goes first, and
// of these the one that came first.
type pacer struct {
	clock
	limiter *rate.Limiter

	mu   sync.Mutex
	line []*urgency // in the order in which they have their turns
}

func newPacer(c clock, perSecond float64) *pacer {
	return &pacer{clock: c, limiter: rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))}
}

// turn waits for a request's turn.
func (p *pacer) turn(ctx context.Context, u urgency) error {
	me := p.enter(u)
	defer p.leave(me)
	for {
		wait, taken := p.take(me)
		if err := p.wait(ctx, wait); taken || err != nil {
			return err
		}
	}
}

func (p *pacer) enter(u urgency) *urgency {
	p.mu.Lock()
	defer p.mu.Unlock()
	me, at := &u, slices.IndexFunc(p.line, func(other *urgency) bool { return *other > u })
	if at < 0 {
		at = len(p.line)
	}
	p.line = slices.Insert(p.line, at, me)
	return me
}

func (p *pacer) leave(me *urgency) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = slices.DeleteFunc(p.line, func(other *urgency) bool { return other == me })
}

// take takes a turn where the rate bears this one and all that go before it. Else it says when to try again: at the soonest moment, and no later than
// the next turn, since one of those before may leave.
func (p *pacer) take(me *urgency) (wait time.Duration, taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	missing := float64(slices.Index(p.line, me)+1) - p.limiter.TokensAt(now)
	if missing <= 0 && p.limiter.AllowN(now, 1) {
		return 0, true
	}
	return time.Duration(min(missing, 1)/float64(p.limiter.Limit())*float64(time.Second)) + time.Microsecond, false // more than rounding takes away
}
