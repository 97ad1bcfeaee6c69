package plan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// LongestTick is the longest time between two plans: a message can't be delayed for longer.
const LongestTick = 15 * time.Minute

// Planner makes a plan each tick.
type Planner struct {
	Table       Table
	Queue       Queue
	Backlog     Backlog     // nil: nothing is taken to wait
	RenewalInfo RenewalInfo // nil: windows stay as they were when the certificate was issued
	Bus         Bus

	Shard             string
	Now               func() time.Time
	RegisteredDomains func(names []string) []string
	CAHost            func(directory string) (string, error)
	Share             float64
	Pace              Pace          // until the worker's is measured
	AskFor            time.Duration // how long a tick may ask for renewal information
	AskAtOnce         int           // how many questions may be under way at a time
	Log               *slog.Logger
}

// Summary is what a tick did.
type Summary struct {
	Considered int                   `json:"considered"`
	Scheduled  int                   `json:"scheduled"`
	Outcomes   map[reason.Reason]int `json:"outcomes"`
	Conflicts  int                   `json:"conflicts"`  // changed by somebody else meanwhile, or not to be written; due again in the next tick
	Rejected   int                   `json:"rejected"`   // not accepted by the queue; due again in the next tick but one
	Placed     int                   `json:"placed"`     // renewals that were given their moment
	Asked      int                   `json:"asked"`      // questions about suggested windows
	Moved      int                   `json:"moved"`      // windows that the CA has moved
	Endangered int                   `json:"endangered"` // certificates that may end before their successor is there
	Fallback   int                   `json:"fallback"`   // jobs for orders at a second CA
	Untaken    int                   `json:"untaken"`    // jobs that nobody took, two ticks after their start

	SwitchedOff int    `json:"switched_off"`    // certificates in use that are disabled, and in the last part of their life
	Least       *Least `json:"least,omitempty"` // nil: it isn't known, since the list of ends isn't complete, or can't be read
}

// Tick asks, gathers, decides, warns, records and sends. A crash between any two of these loses
// nothing and doubles nothing: what was recorded but not sent is due again, and a job sent twice
// has the same id and does the same once.
func (p *Planner) Tick(ctx context.Context, tick time.Duration) (Summary, error) {
	r, err := p.refresh(ctx, p.Now(), tick)
	if err != nil {
		return Summary{}, err
	}
	in, err := p.gather(ctx, r)
	if err != nil {
		return Summary{Least: r.least, SwitchedOff: r.switchedOff}, err
	}
	made := Decide(in)
	s := made.summary()
	s.Asked, s.Moved, s.Least, s.SwitchedOff = r.asked, len(r.windows), r.least, r.switchedOff
	p.warn(ctx, made)
	messages, err := p.record(ctx, made, r, &s)
	if err != nil {
		return s, err
	}
	err = p.send(ctx, messages, &s)
	p.tell(ctx, made) // whatever became of the queue
	if err != nil {
		return s, err
	}
	r.notes.Parked, r.notes.Awaited = made.Parked, made.Awaited
	return s, p.note(ctx, r)
}

// record writes every outcome and returns the messages of those that were written.
func (p *Planner) record(ctx context.Context, made Plan, r *refresh, s *Summary) ([]Message, error) {
	w := r.writes(made)
	conflicts, err := p.Table.SaveCertificates(ctx, w.plain)
	bad, err := p.apart("recording the plan", err)
	if err != nil {
		return nil, err
	}
	more, err := p.Table.Book(ctx, p.Shard, w.placed)
	unplaced, err := p.apart("recording the calendar", err)
	if err != nil {
		return nil, err
	}
	s.Conflicts, s.Placed = len(conflicts)+len(more)+len(bad)+len(unplaced), len(w.placed)-len(more)-len(unplaced)
	bad = append(bad, unplaced...)
	for _, name := range bad {
		w.lost[name] = true
	}
	for _, name := range append(conflicts, more...) {
		w.lost[name] = true
		p.Log.Info("changed while the plan was made; it is looked at again in the next tick", "certificate", name)
	}
	if err := p.Table.SaveWatches(ctx, p.Shard, r.watches(w.lost)); err != nil {
		return nil, fmt.Errorf("recording the windows: %w", err)
	}
	if n := len(w.plain) + len(w.placed); n > 0 && n == len(bad) {
		return nil, fmt.Errorf("recording the plan: none of %d entries can be written, %s first", n, bad[0])
	}
	return slices.DeleteFunc(w.messages, func(m Message) bool { return w.lost[m.Job.Certificate] }), nil
}

// apart takes the entries out of an error that can't be written, where all others are: they are
// looked at again in the next tick. Every other error is returned.
func (p *Planner) apart(doing string, err error) (bad []string, other error) {
	var own *Unwritten
	switch {
	case errors.As(err, &own):
		p.Log.Error(doing+"; going on without", "certificates", own.Certificates, "cause", err.Error())
		return own.Certificates, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return nil, nil
}

func (p *Planner) send(ctx context.Context, messages []Message, s *Summary) error {
	rejected, err := p.Queue.Send(ctx, messages)
	if err != nil {
		return fmt.Errorf("sending %d jobs: %w", len(messages), err)
	}
	s.Rejected = len(rejected)
	s.Scheduled = len(messages) - len(rejected)
	return nil
}

// note keeps what the next tick must know.
func (p *Planner) note(ctx context.Context, r *refresh) error {
	if err := p.Table.SaveNotes(ctx, p.Shard, r.notes); err != nil {
		return fmt.Errorf("writing down the planner's notes: %w", err)
	}
	return nil
}

func (p Plan) summary() Summary {
	s := Summary{Considered: len(p.Outcomes), Outcomes: map[reason.Reason]int{}, Untaken: len(p.untaken())}
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		s.Outcomes[o.Shown()]++
		if o.atFallback() {
			s.Fallback++
		}
	}
	for o := range p.looked() {
		if o.Endangered {
			s.Endangered++
		}
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
