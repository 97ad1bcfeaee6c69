package simulate

import (
	"math"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
)

// Summary is what a run comes to.
type Summary struct {
	Issued        int                   `json:"issued"`      // certificates, first ones and renewals
	Renewed       int                   `json:"renewed"`     // those of them that replaced one
	Orders        int                   `json:"orders"`      // that the CA answered, refused ones included; not those answered 503
	Denied        int                   `json:"denied"`      // 429s
	Expired       int                   `json:"expired"`     // lapsed beyond the lost causes
	LostCauses    int                   `json:"lost_causes"` // what no schedule could save
	Lapsed        int                   `json:"lapsed"`      // all that weren't replaced in time
	Deferred      map[reason.Reason]int `json:"deferred"`    // decisions to wait, over all ticks and deliveries
	Makespan      int64                 `json:"makespan"`    // seconds from the start to the last first issuance or overdue renewal; the whole time if one is unfinished
	Unfinished    int                   `json:"unfinished"`  // first issuances and overdue renewals that weren't made
	Bound         float64               `json:"bound"`       // seconds that no schedule can beat
	Peak          int                   `json:"peak_per_hour"`
	Mean          float64               `json:"mean_per_hour"`
	SteadyPeak    int                   `json:"steady_peak_per_hour"` // of the clock hours after the first lifetime
	SteadyMean    float64               `json:"steady_mean_per_hour"` // the sum of 1 ÷ renewal interval over the fleet
	LeastDaysLeft *float64              `json:"least_days_left"`      // of all certificates, when they were replaced or at the end; null where none was ever in use
	WallSeconds   float64               `json:"wall_seconds"`         // set by whoever has a clock
	Denials       map[budget.Name]int   `json:"denials,omitempty"`    // by limit
}

// Hour is one clock hour of a run.
type Hour struct {
	At            time.Time
	Orders        int
	Issued        int
	AccountLeft   float64 // share of the account's new orders that is left at the hour's last tick; 1 where there is no such limit
	DomainLeft    float64 // the same of the registered domain that most certificates have
	LeastDaysLeft float64 // until the next end of what is in use, to the hour; NaN where nothing is
}

// Result is a run's outcome.
type Result struct {
	Summary Summary
	Hours   []Hour
}

// tally counts while a run goes on.
type tally struct {
	scenario Scenario
	summary  Summary
	hours    []Hour
	left     time.Duration // least, so far
	waiting  int           // of the backlog
	makespan time.Duration
	late     map[bucket]int
	guarded  int // revoked before the one-day guard lets them be replaced
	domains  func([]string) []string
	crowded  bucket // the registered domain that most certificates have
	ends     endings
}

func newTally(s Scenario, entries []*entry, domains func([]string) []string) *tally {
	t := &tally{scenario: s, left: never, domains: domains, ends: endings{start: s.Start}}
	at, count := s.Start.Truncate(time.Hour), int(s.End().Add(time.Hour-1).Truncate(time.Hour).Sub(s.Start.Truncate(time.Hour))/time.Hour)
	for i := range count {
		t.hours = append(t.hours, Hour{At: at.Add(time.Duration(i) * time.Hour), AccountLeft: 1, DomainLeft: 1, LeastDaysLeft: math.NaN()})
	}
	t.crowd(entries)
	t.burden(entries)
	return t
}

// crowd finds the registered domain that most certificates have.
func (t *tally) crowd(entries []*entry) {
	count, limits := map[string]int{}, ratesOf(t.scenario)
	for _, e := range entries {
		for _, d := range t.domains(e.certificate.Wanted.Domains) {
			count[d]++
			if best := count[t.crowded.subject]; count[d] > best || count[d] == best && d < t.crowded.subject {
				t.crowded = limits.asked(1, []string{d})[0]
			}
		}
	}
}

// burden is what the fleet asks for: the backlog of the start, and what must be replaced before it ends.
func (t *tally) burden(entries []*entry) {
	backlog, endangered := newDemand(t.scenario, t.scenario.Start), newDemand(t.scenario, t.scenario.Start)
	backlog.know(entries)
	endangered.know(entries)
	for _, e := range entries {
		u, domains := e.certificate.InUse, t.domains(e.certificate.Wanted.Domains)
		var window time.Time
		if u != nil && u.Window != nil {
			window = u.Window.End
		}
		if u == nil || !u.RenewAt.After(t.scenario.Start) {
			e.backlog = true
			t.waiting++
			backlog.add(e, domains, window)
		}
		if u != nil {
			t.inUse(e)
			if !e.ends.After(t.scenario.End()) {
				endangered.add(e, domains, window)
			}
		}
	}
	t.summary.Bound = backlog.bound().Seconds()
	t.late = endangered.late()
}

// revoked adds what a mass revocation endangers: from that moment on, all of it must be replaced by the deadline. What the one-day guard holds back
// until it is too late is lost whatever else there is.
func (t *tally) revoked(hit []*entry, at time.Time) {
	d := newDemand(t.scenario, at)
	d.know(hit)
	for _, e := range hit {
		guarded := t.scenario.CA.ARI && e.certificate.GuardedUntil(at).Add(t.scenario.Issuance).After(e.ends)
		switch {
		case e.ends.After(t.scenario.End()):
		case guarded:
			t.guarded++
		default:
			d.add(e, t.domains(e.certificate.Wanted.Domains), time.Time{})
		}
	}
	for b, n := range d.late() {
		t.late[b] += n
	}
}

func (t *tally) hour(at time.Time) *Hour {
	return &t.hours[min(len(t.hours)-1, int(at.Sub(t.hours[0].At)/time.Hour))]
}

func (t *tally) ordered(at time.Time) {
	t.summary.Orders++
	t.hour(at).Orders++
}

func (t *tally) denied(d Denial) {
	t.summary.Denied++
	if t.summary.Denials == nil {
		t.summary.Denials = map[budget.Name]int{}
	}
	t.summary.Denials[d.Limit]++
}

// issued counts an issuance for e, which still has what it had before.
func (t *tally) issued(e *entry, at time.Time) {
	t.summary.Issued++
	t.hour(at).Issued++
	if e.backlog {
		e.backlog = false
		t.waiting--
		t.makespan = at.Sub(t.scenario.Start)
	}
	if e.ends.IsZero() {
		return
	}
	t.summary.Renewed++
	t.outOfUse(e)
	t.replaced(e, at)
}

// replaced notes how much of e's life was left at a moment.
func (t *tally) replaced(e *entry, at time.Time) {
	t.left = min(t.left, e.ends.Sub(at))
	if at.After(e.ends) {
		t.summary.Lapsed++
	}
}

func (t *tally) inUse(e *entry)    { t.ends.add(e.ends, 1) }
func (t *tally) outOfUse(e *entry) { t.ends.add(e.ends, -1) }

// sample looks at what is left, for the hour's chart.
func (t *tally) sample(at time.Time, ca *Authority) {
	h := t.hour(at)
	h.AccountLeft, h.DomainLeft = ca.share(bucket{budget.NewOrdersPerAccount, 1, ""}, at), ca.share(t.crowded, at)
	h.LeastDaysLeft = t.ends.next().Sub(at).Hours() / 24
	if t.ends.none() {
		h.LeastDaysLeft = math.NaN()
	}
}

// share of a bucket's tokens that is left; 1 where it isn't limited.
func (a *Authority) share(b bucket, at time.Time) float64 {
	n, ok := a.left(b, at)
	if !ok {
		return 1
	}
	r := a.rates[b.limit]
	return float64(n) / float64(r.offset/r.emission)
}

func (t *tally) result(w *world) Result {
	s := &t.summary
	for _, e := range w.shelf.entries {
		if e.certificate.InUse != nil {
			t.replaced(e, t.scenario.End())
		}
	}
	for _, n := range t.late {
		s.LostCauses = max(s.LostCauses, n)
	}
	s.LostCauses += t.guarded
	s.Expired, s.Unfinished, s.Deferred = max(0, s.Lapsed-s.LostCauses), t.waiting, w.deferred
	s.Makespan = int64(t.makespan / time.Second)
	if t.waiting > 0 {
		s.Makespan = int64(t.scenario.Duration / time.Second)
	}
	if t.left != never {
		days := t.left.Hours() / 24
		s.LeastDaysLeft = &days
	}
	t.rhythm(len(w.shelf.entries))
	return Result{Summary: *s, Hours: t.hours}
}

// rhythm sums up the hours.
func (t *tally) rhythm(fleet int) {
	s, life := &t.summary, t.scenario.CA.Lifetime
	for _, h := range t.hours {
		s.Peak = max(s.Peak, h.Issued)
		if !h.At.Before(t.scenario.Start.Add(life)) {
			s.SteadyPeak = max(s.SteadyPeak, h.Issued)
		}
	}
	s.Mean = float64(s.Issued) / t.scenario.Duration.Hours()
	s.SteadyMean = float64(fleet) / t.scenario.interval().Hours()
}
