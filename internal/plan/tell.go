package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// warnFor bounds how long a tick waits for the bus before it records anything: a bus that hangs
// keeps no job back for longer.
const warnFor = 20 * time.Second

// warn says once a day what may end before its successor is there. It is said before it is recorded
// as said. So a tick that is killed in between says it twice, and what the bus didn't take is said
// again in the next tick.
func (p *Planner) warn(ctx context.Context, made Plan) {
	var warned []*Outcome
	var events []event.Event
	for o := range made.looked() {
		if made.warns(o) {
			warned, events = append(warned, o), append(events, made.expiring(o))
		}
	}
	if len(events) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, warnFor)
	defer cancel()
	err := p.Bus.Publish(ctx, events...)
	if err == nil {
		return
	}
	p.Log.Warn("telling the bus what ends; the next tick tries again", "cause", err.Error())
	var some *Untold
	partly := errors.As(err, &some)
	for _, o := range warned {
		o.untold = !partly || slices.Contains(some.Certificates, o.Certificate.Name)
	}
}

// tell reports what a budget defers. A deferred certificate is looked at again when the budget has
// room, so this is no chatter.
func (p *Planner) tell(ctx context.Context, made Plan) {
	for _, f := range made.Forecasts {
		p.Log.Warn("demand that can't be met in time", "limit", f.Key.Limit, "key", f.Key.Subject, "late", f.Late, "advice", f.Advice())
	}
	for i := range made.Outcomes {
		o := &made.Outcomes[i]
		if o.Reserve && o.Sends() {
			p.Log.Warn("an order takes what is kept for people, because what is in use would end otherwise", "certificate", o.Certificate.Name, "ends", o.Certificate.Deadline())
		}
		if o.atFallback() {
			p.Log.Warn("the order goes to the second CA", "certificate", o.Certificate.Name, "directory", o.Certificate.Wanted.Fallback.Directory, "why", o.Fallback)
		}
	}
	if names := made.untaken(); len(names) > 0 {
		p.Log.Warn("jobs that nobody took, two ticks after their start; is the worker's mapping on, and does it start?", "jobs", len(names), "first", names[0])
	}
	events := made.events()
	if len(events) == 0 {
		return
	}
	if err := p.Bus.Publish(ctx, events...); err != nil {
		p.Log.Warn("telling the bus", "cause", err.Error())
	}
}

func (p Plan) events() []event.Event {
	var events []event.Event
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		if o.Reason == reason.Budget {
			events = append(events, event.Deferred(subject(o.Certificate), o.message(), o.next()))
		}
	}
	return events
}

// expiring says what stands in the way, and what would help.
func (p Plan) expiring(o *Outcome) event.Event {
	c := p.Record(*o)
	message := fmt.Sprintf("in use until %s: %s; %s", stamp(c.ConsumersEnd()), c.Status.Message, Remedy(&c))
	return event.Expiring(subject(&c), c.Status.Reason, message, o.next())
}

func subject(c *inventory.Certificate) event.Subject {
	s := event.Subject{Certificate: c.Name, Domains: c.Wanted.Domains}
	if c.InUse != nil {
		s.SecretARN, s.VersionID = c.InUse.SecretARN, c.InUse.VersionID
	}
	return s
}
