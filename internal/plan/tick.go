package plan

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// LongestTick is the longest time between two plans: a message can't be delayed for longer.
const LongestTick = 15 * time.Minute

// MostDue is how many certificates one tick looks at, the longest due first. The rest is due in the next.
const MostDue = 5000

// Planner makes a plan each tick.
type Planner struct {
	Fleet       Fleet
	Budgets     Budgets
	Queue       Queue
	RenewalInfo RenewalInfo // nil: windows stay as they were when the certificate was issued
	Bus         Bus

	Shard             string
	Now               func() time.Time
	RegisteredDomains func(names []string) []string
	CAHost            func(directory string) (string, error)
	Share             float64
	Pace              Pace
	AskFor            time.Duration // how long a tick may ask for renewal information
	Log               *slog.Logger
}

// Summary is what a tick did.
type Summary struct {
	Considered int                   `json:"considered"`
	Scheduled  int                   `json:"scheduled"`
	Outcomes   map[reason.Reason]int `json:"outcomes"`
	Conflicts  int                   `json:"conflicts"` // changed by somebody else meanwhile; due again in the next tick
	Rejected   int                   `json:"rejected"`  // not accepted by the queue; due again in the next tick but one
}

// Tick gathers, decides, records and sends. A crash between any two of these loses nothing and doubles nothing: what was
// recorded but not sent is due again, and a job sent twice has the same id and does the same once.
func (p *Planner) Tick(ctx context.Context, tick time.Duration) (Summary, error) {
	in, err := p.Gather(ctx, tick)
	if err != nil {
		return Summary{}, err
	}
	made := Decide(in)
	s := made.summary()
	accepted, err := p.record(ctx, made, &s)
	if err != nil {
		return s, err
	}
	if err := p.send(ctx, in.Now, accepted, &s); err != nil {
		return s, err
	}
	p.tell(ctx, made)
	return s, nil
}

// Gather reads everything that a plan depends on and writes nothing.
func (p *Planner) Gather(ctx context.Context, tick time.Duration) (Input, error) {
	in := Input{
		Now: p.Now(), Tick: tick, Shard: p.Shard, Share: p.Share, Pace: p.Pace,
		CAs: map[string]CA{}, Registered: map[string][]string{},
	}
	due, err := p.Fleet.DueCertificates(ctx, p.Shard, in.Now.Add(tick), MostDue)
	if err != nil {
		return Input{}, fmt.Errorf("listing what is due: %w", err)
	}
	in.Certificates = p.askWindows(ctx, due)
	for _, c := range in.Certificates {
		in.Registered[c.Name] = p.RegisteredDomains(c.Wanted.Domains)
		if err := p.addCA(ctx, &in, c.Wanted.Directory); err != nil {
			return Input{}, err
		}
	}
	in.Have, in.Corrupt, err = p.Budgets.ReadBuckets(ctx, in.Keys())
	if err != nil {
		return Input{}, fmt.Errorf("reading the budgets: %w", err)
	}
	return in, nil
}

func (p *Planner) addCA(ctx context.Context, in *Input, directory string) error {
	if _, known := in.CAs[directory]; known {
		return nil
	}
	host, err := p.CAHost(directory)
	if err != nil {
		return err
	}
	limits, err := p.Budgets.Limits(ctx, directory)
	if err != nil {
		return fmt.Errorf("reading the limits of %s: %w", host, err)
	}
	in.CAs[directory] = CA{Host: host, Limits: limits}
	return nil
}

// askWindows asks the CA, for what is due for renewal, whether its window still is where it was. A moved window moves the moment; an
// answer that fails changes nothing, and above all never reads as "renew now".
func (p *Planner) askWindows(ctx context.Context, cs []inventory.Certificate) []inventory.Certificate {
	if p.RenewalInfo == nil {
		return cs
	}
	ctx, cancel := context.WithTimeout(ctx, p.AskFor)
	defer cancel()
	for i, c := range cs {
		if c.InUse == nil || c.InUse.CertID == "" || c.Status.Issuance != "" || c.Need().Why != inventory.NeedRenewal {
			continue
		}
		w, err := p.RenewalInfo.Window(ctx, c.InUse.Directory, c.InUse.CertID)
		if err != nil {
			p.Log.Warn("asking for renewal information", "certificate", c.Name, "cause", err.Error())
			if ctx.Err() != nil {
				break
			}
			continue
		}
		cs[i] = c.Windowed(w)
	}
	return cs
}

// record writes every outcome and returns those that were written.
func (p *Planner) record(ctx context.Context, made Plan, s *Summary) ([]Outcome, error) {
	cs := make([]inventory.Certificate, 0, len(made.Outcomes))
	for _, o := range made.Outcomes {
		cs = append(cs, o.Certificate)
	}
	conflicts, err := p.Fleet.SaveCertificates(ctx, cs)
	if err != nil {
		return nil, fmt.Errorf("recording the plan: %w", err)
	}
	lost := make(map[string]bool, len(conflicts))
	for _, name := range conflicts {
		lost[name] = true
		p.Log.Info("changed while the plan was made; it is looked at again in the next tick", "certificate", name)
	}
	s.Conflicts = len(conflicts)
	var accepted []Outcome
	for _, o := range made.Outcomes {
		if o.Job != nil && !lost[o.Certificate.Name] {
			accepted = append(accepted, o)
		}
	}
	return accepted, nil
}

func (p *Planner) send(ctx context.Context, now time.Time, outcomes []Outcome, s *Summary) error {
	messages := make([]Message, 0, len(outcomes))
	for _, o := range outcomes {
		messages = append(messages, Message{Job: *o.Job, Delay: min(max(0, o.Start.Sub(now).Round(time.Second)), LongestTick)})
	}
	rejected, err := p.Queue.Send(ctx, messages)
	if err != nil {
		return fmt.Errorf("sending %d jobs: %w", len(messages), err)
	}
	s.Rejected = len(rejected)
	s.Scheduled = len(messages) - len(rejected)
	return nil
}

// tell reports what a budget defers. Such a certificate is looked at again when the budget has room, so this is no chatter.
func (p *Planner) tell(ctx context.Context, made Plan) {
	var events []event.Event
	for _, o := range made.Outcomes {
		c := o.Certificate
		if c.Status.Reason == reason.Budget {
			events = append(events, event.Deferred(subject(c), c.Status.Message, c.Status.NextAttempt))
		}
	}
	if len(events) == 0 {
		return
	}
	if err := p.Bus.Publish(ctx, events...); err != nil {
		p.Log.Warn("telling the bus", "cause", err.Error())
	}
}

func subject(c inventory.Certificate) event.Subject {
	s := event.Subject{Certificate: c.Name, Domains: c.Wanted.Domains}
	if c.InUse != nil {
		s.SecretARN, s.VersionID = c.InUse.SecretARN, c.InUse.VersionID
	}
	return s
}

func (p Plan) summary() Summary {
	s := Summary{Considered: len(p.Outcomes), Outcomes: map[reason.Reason]int{}}
	for _, o := range p.Outcomes {
		s.Outcomes[o.Certificate.Status.Reason]++
	}
	return s
}

// CheckTick says whether a tick's length makes sense.
func CheckTick(tick time.Duration) error {
	if tick < time.Second || tick > LongestTick {
		return fmt.Errorf("tick: %s is not between 1s and %s, the longest that a message can be delayed", tick, LongestTick)
	}
	return nil
}
