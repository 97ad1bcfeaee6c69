package plan

import (
	"context"
	"fmt"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// tell reports what a budget defers, and once a day what may end before its successor is there. A deferred certificate is looked at again when the
// budget has room, so this is no chatter.
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
	for o := range p.looked() {
		if o.Endangered && p.warns(&o.Certificate.Status) {
			events = append(events, p.expiring(o))
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
