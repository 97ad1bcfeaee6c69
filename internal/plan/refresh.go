package plan

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// refresh is one tick's questions about renewal windows. Nothing of it is written before the plan is: an answer that was lost is asked for again.
type refresh struct {
	*Planner
	ctx     context.Context // ends when the time for questions does
	now     time.Time
	tick    time.Duration
	notes   Notes
	changed map[string]Watch // by certificate: to be written
	windows map[string]Watch // those of them whose window moved
	asked   int
	stopped map[string]bool // by directory: the CA is overloaded
	dry     bool            // nothing will be written

	least       *Least // nil: not known
	switchedOff int    // how much that is disabled is near its end
}

// refresh asks what is due to be asked and, where a window of that moved into the past, everything
// of an issuer. Retry-After is the least that passes between two questions, so there is no other
// sample than what is due: it is spread over the ticks by itself.
func (p *Planner) refresh(ctx context.Context, now time.Time, tick time.Duration) (*refresh, error) {
	notes, err := p.Table.Notes(ctx, p.Shard)
	if err != nil {
		p.Log.Error("reading the planner's notes; going on without any", "cause", err.Error())
	}
	r := &refresh{Planner: p, now: now, tick: tick, notes: notes, changed: map[string]Watch{}, windows: map[string]Watch{}, stopped: map[string]bool{}}
	r.notes.Raised = maps.Clone(notes.Raised)
	if p.RenewalInfo == nil {
		return r, nil
	}
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithTimeout(ctx, p.AskFor)
	defer cancel()
	for _, part := range []func(context.Context) error{r.due, r.raised} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// most is how many questions a tick has time for.
func (r *refresh) most() int { return int(r.AskFor.Seconds() * highRate) }

// calm says whether CAs are asked at the low rate only.
func (r *refresh) calm() bool { return r.notes.Calm.After(r.now) }

func (r *refresh) due(ctx context.Context) error {
	ws, err := r.Table.Watches(ctx, r.Shard, time.Time{}, r.now.Add(time.Second), r.most())
	if err = r.passOver("listing the windows that are due", err); err != nil {
		return err
	}
	r.ask(choose(eachIssuer(ws), r.now, r.tick, r.AskFor, r.calm()))
	return nil
}

// raised asks about everything of the issuers of which a window moved into the past, until all of
// theirs was answered since: each once, before its time. What the CA said of that time is out of
// date, as it has shown.
func (r *refresh) raised(ctx context.Context) error {
	if len(r.notes.Raised) == 0 {
		return nil
	}
	ws, err := r.Table.Watches(ctx, r.Shard, time.Time{}, r.now.Add(longestAsk), r.most())
	if err = r.passOver("listing the windows of a whole issuer", err); err != nil {
		return err
	}
	var open []Watch
	for _, w := range ws {
		if since, raised := r.notes.Raised[w.Issuer]; raised && w.Asked.Before(since) && w.Failures == 0 && !r.has(w) {
			open = append(open, w)
		}
	}
	left, rate := r.most()-r.asked, float64(highRate)
	if r.calm() {
		left, rate = int(r.AskFor.Seconds()*lowRate)-r.asked, lowRate
	}
	r.ask(open[:max(0, min(left, len(open)))], rate)
	if len(open) == 0 || len(open) <= left && len(r.stopped) == 0 && len(ws) < r.most() {
		clear(r.notes.Raised)
	}
	return nil
}

func (r *refresh) has(w Watch) bool {
	_, asked := r.changed[w.Certificate]
	return asked
}

// ask asks at a rate, each CA a few questions at a time, until the time is over or that CA is
// overloaded. One that is slow holds up no other.
func (r *refresh) ask(ws []Watch, rate float64) {
	r.RenewalInfo.Rate(rate)
	byCA := map[string][]Watch{}
	for _, w := range ws {
		byCA[w.Directory] = append(byCA[w.Directory], w)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, ws := range byCA {
		all.Go(func() { r.askCA(ws, &mu) })
	}
	all.Wait()
}

func (r *refresh) askCA(ws []Watch, mu *sync.Mutex) {
	var all sync.WaitGroup
	lane := make(chan struct{}, max(1, r.AskAtOnce))
	for _, w := range ws {
		lane <- struct{}{}
		mu.Lock()
		over := r.stopped[w.Directory] || r.ctx.Err() != nil || r.has(w)
		mu.Unlock()
		if over {
			<-lane
			continue
		}
		all.Go(func() {
			defer func() { <-lane }()
			if !r.stillInUse(w, mu) {
				return
			}
			a, err := r.RenewalInfo.Ask(r.ctx, w.Directory, w.CertID)
			mu.Lock()
			defer mu.Unlock()
			r.note(w, a, err)
		})
	}
	all.Wait()
}

// stillInUse says whether the certificate may be asked about: not once it was replaced (RFC 9773,
// 4.3), nor where it is disabled. The list may not know yet; then it is put right.
func (r *refresh) stillInUse(w Watch, mu *sync.Mutex) bool {
	c, err := r.Table.Certificate(r.ctx, w.Certificate)
	if err != nil {
		r.Log.Warn("loading a certificate before asking about it; it is asked about in the next tick", "certificate", w.Certificate, "cause", err.Error())
		return false
	}
	if w.about(c) {
		return true
	}
	w.Next = time.Time{}
	if next := watchOf(c, r.now); next != nil {
		w = *next
	}
	mu.Lock()
	defer mu.Unlock()
	r.changed[w.Certificate] = w
	return false
}

// note keeps what an answer means.
func (r *refresh) note(w Watch, a Answer, err error) {
	if err != nil && r.ctx.Err() != nil {
		return // it is asked in the next tick
	}
	r.asked++
	if err != nil {
		r.Log.Warn("asking for renewal information", "certificate", w.Certificate, "cause", err.Error())
		r.changed[w.Certificate] = w.failed(a, r.now)
		if a.Overloaded {
			r.stopped[w.Directory], r.notes.Calm = true, r.now.Add(askEvery)
		}
		return
	}
	next := w.answered(a, r.now)
	r.changed[w.Certificate] = next
	if w.recalled(a, r.now) {
		r.Log.Warn("a suggested window moved into the past; asking about everything of its issuer", "certificate", w.Certificate, "issuer", w.Issuer)
		if r.notes.Raised == nil {
			r.notes.Raised = map[string]time.Time{}
		}
		if _, already := r.notes.Raised[w.Issuer]; !already {
			r.notes.Raised[w.Issuer] = r.now
		}
	}
	if w.moved(a) {
		r.windows[w.Certificate] = next
	}
}

// apply gives a certificate the window that was found to have moved, if it is still what was asked about.
func (r *refresh) apply(c inventory.Certificate) inventory.Certificate {
	if w, moved := r.windows[c.Name]; moved && c.InUse != nil && c.InUse.CertID == w.CertID {
		return c.Windowed(w.Window)
	}
	return c
}

// watches are those to be written, without those of certificates that somebody else changed meanwhile: they are asked about again.
func (r *refresh) watches(except map[string]bool) []Watch {
	ws := make([]Watch, 0, len(r.changed))
	for name, w := range r.changed {
		if !except[name] {
			ws = append(ws, w)
		}
	}
	return ws
}

// writes are the entries that a plan changes.
type writes struct {
	messages []Message
	plain    []inventory.Certificate
	placed   []Placement
	lost     map[string]bool // by name: changed by somebody else meanwhile
}

func (r *refresh) writes(made Plan) writes {
	placed := 0
	for i := range made.Outcomes {
		if made.Outcomes[i].Place != nil {
			placed++
		}
	}
	w := writes{
		lost: map[string]bool{}, plain: make([]inventory.Certificate, 0, len(made.Outcomes)-placed), placed: make([]Placement, 0, placed),
	}
	for i := range made.Outcomes {
		o := &made.Outcomes[i]
		c, j := made.record(o)
		if o.Sends() {
			w.messages = append(w.messages, Message{Job: j, Delay: min(max(0, o.Start.Sub(made.Now).Round(time.Second)), LongestTick)})
		}
		if o.Place == nil {
			if _, moved := r.windows[c.Name]; moved || c.Status != o.Certificate.Status {
				w.plain = append(w.plain, c)
			}
			continue
		}
		p := Placement{Certificate: c, Leaves: o.Certificate.Booked, Watch: watchOf(c, made.Now)}
		if asked, ok := r.changed[c.Name]; ok && p.Watch != nil && asked.CertID == p.Watch.CertID && !p.Watch.Next.IsZero() {
			p.Watch = &asked
		}
		if p.Watch != nil {
			delete(r.changed, c.Name)
		}
		w.placed = append(w.placed, p)
	}
	for i := range made.Near {
		if c := made.Record(made.Near[i]); c.Status != made.Near[i].Certificate.Status {
			w.plain = append(w.plain, c)
		}
	}
	return w
}
