package simulate

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// Hours is plan.Calendar's.
func (s *shelf) Hours(_ context.Context, _ string, from time.Time) (map[plan.Hour]plan.Load, error) {
	maps.DeleteFunc(s.hours, func(h plan.Hour, _ plan.Load) bool { return h < plan.HourOf(from) })
	return s.hours, nil
}

// Book is plan.Calendar's.
func (s *shelf) Book(ctx context.Context, _ string, ps []plan.Placement) ([]string, error) {
	for _, p := range ps {
		s.count(p.Leaves, -1)
		s.count(p.Certificate.Booked, 1)
		if p.Watch != nil && s.watches != nil {
			s.watches.put(*p.Watch)
		}
		e := s.byName[p.Certificate.Name]
		e.certificate = p.Certificate
		s.put(e)
	}
	return nil, nil
}

func (s *shelf) count(b *inventory.Booking, n int) {
	if b == nil || b.Hour.IsZero() {
		return
	}
	h := plan.HourOf(b.Hour)
	load := s.hours[h]
	load.Count, load.Rate = load.Count+n, load.Rate+int64(n)*b.Rate
	s.hours[h] = load
}

// Watches is plan.Watches'.
func (s *shelf) Watches(_ context.Context, _ string, from, to time.Time, limit int) ([]plan.Watch, error) {
	return s.watches.list(from, to, limit), nil
}

// SaveWatches is plan.Watches'.
func (s *shelf) SaveWatches(_ context.Context, _ string, ws []plan.Watch) error {
	for _, w := range ws {
		s.watches.put(w)
	}
	return nil
}

// Notes is plan.Notebook's.
func (s *shelf) Notes(context.Context, string) (plan.Notes, error) { return s.notes, nil }

// SaveNotes is plan.Notebook's.
func (s *shelf) SaveNotes(_ context.Context, _ string, n plan.Notes) error {
	s.notes = n
	return nil
}

// Slice is plan.Slices'. Nothing falls out of the list of what is due here.
func (s *shelf) Slice(context.Context, string, string, int) ([]inventory.Certificate, string, error) {
	return nil, "", nil
}

// WorkerPace is plan.Worker's: the scenario's, which the planner is told.
func (s *shelf) WorkerPace(context.Context, string) (time.Duration, error) { return 0, nil }

// rota is what the CA is asked about, by when it is next.
type rota struct {
	next  map[string]time.Time            // by certificate
	hours map[int64]map[string]plan.Watch // by the clock hour of Next
}

func newRota() *rota {
	return &rota{next: map[string]time.Time{}, hours: map[int64]map[string]plan.Watch{}}
}

func hourOf(t time.Time) int64 { return int64(plan.HourOf(t)) }

func (r *rota) put(w plan.Watch) {
	if at, listed := r.next[w.Certificate]; listed {
		h := r.hours[hourOf(at)]
		delete(h, w.Certificate)
		if len(h) == 0 {
			delete(r.hours, hourOf(at))
		}
		delete(r.next, w.Certificate)
	}
	if w.Next.IsZero() {
		return
	}
	h := hourOf(w.Next)
	if r.hours[h] == nil {
		r.hours[h] = map[string]plan.Watch{}
	}
	r.hours[h][w.Certificate], r.next[w.Certificate] = w, w.Next
}

// askedEvery is how often a CA is asked about a certificate, as Let's Encrypt wants it.
const askedEvery = 6 * time.Hour

// spread is the list as it is after a tick where the CA has been asked all the while, which only
// looks as if nobody had: each is due within the time that passes between two questions.
func (r *rota) spread(tick time.Time) {
	for _, name := range slices.Sorted(maps.Keys(r.next)) {
		w := r.hours[hourOf(r.next[name])][name]
		w.Asked = tick.Add(time.Duration((inventory.Fraction("asked", name, w.CertID) - 1) * float64(askedEvery)))
		w.Next = w.Asked.Add(askedEvery)
		r.put(w)
	}
}

func (r *rota) list(from, to time.Time, limit int) []plan.Watch {
	var found []plan.Watch
	for _, h := range slices.Sorted(maps.Keys(r.hours)) {
		if len(found) >= limit || h > hourOf(to) {
			break
		}
		if h < hourOf(from) {
			continue
		}
		first := len(found)
		for _, w := range r.hours[h] {
			if !w.Next.Before(from) && w.Next.Before(to) {
				found = append(found, w)
			}
		}
		slices.SortFunc(found[first:], func(a, b plan.Watch) int {
			if c := a.Next.Compare(b.Next); c != 0 {
				return c
			}
			return strings.Compare(a.Certificate, b.Certificate)
		})
	}
	return found[:min(len(found), limit)]
}
