package plan

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// trials bounds how many orders of precedence are tried where not everything can be in time.
const trials = 8

// settle lets the certificates compete in the order of precedence in which the fewest end before their successor is there.
//
// The earliest deadline first is that order as long as everything can be in time. Where not, it is the worst there is: each is a little too late. So
// what would be late doesn't take the place of what wouldn't (Moore and Hodgson), and what has nothing left to lose, a first certificate or one that
// has ended already, goes ahead only as far as nothing ends for it. What ends later than anything that would have been late comes behind it
// all the same. And of two that would be late, the one that more crowded buckets wait for makes more room by stepping back.
func settle(in Input) *decider {
	in.elsewhere, in.others = in.waitElsewhere(), in.awaitedElsewhere()
	in.unseen = in.notDue(in.others)
	d := settleBy(in, false)
	if d.late > 0 {
		if light := settleBy(in, true); light.late < d.late {
			return light
		}
	}
	return d
}

func settleBy(in Input, light bool) *decider {
	all := try(in, precedence{math.MaxInt, never, light})
	if all.late+all.robbed == 0 && all.tight == 0 && all.over == 0 || all.patient == 0 {
		return all
	}
	least := try(in, precedence{0, never, light})
	if !all.worse(least) {
		return all
	}
	kept, few := least, 0
	for many := all.patient; many-few > 1+all.patient>>trials; {
		ahead := few + (many-few)/2
		if d := try(in, precedence{ahead, never, light}); d.worse(least) {
			many = ahead
		} else {
			few, kept = ahead, d
		}
	}
	if d := try(in, precedence{few, all.latest, light}); !d.worse(least) {
		return d
	}
	return kept
}

// never is a deadline after all others.
var never = time.Unix(1<<40, 0)

// worse says whether more are late by d than by another plan, or nearer to it.
func (d *decider) worse(than *decider) bool {
	return d.late+d.robbed > than.late+than.robbed || d.tight > than.tight || d.over > than.over
}

// precedence is who goes first.
type precedence struct {
	ahead int       // so many of those that have nothing left to lose go ahead of the others
	calm  time.Time // and the rest of them ahead of what ends later than this
	light bool      // of the others, those go first that take from the fewest registered domains' buckets, whenever they end
}

// try makes the plan in an order of precedence.
func try(in Input, p precedence) *decider {
	d := newDecider(in)
	var front, patient, pressed, later []int
	for _, i := range d.survey() {
		switch c := d.outcomes[i].Certificate; {
		case rank(c) < 2:
			front = append(front, i)
		case d.isPatient(c):
			patient = append(patient, i)
		case c.Deadline().After(p.calm):
			later = append(later, i)
		default:
			pressed = append(pressed, i)
		}
	}
	d.urgent(front)
	d.urgent(patient)
	d.crowded(patient)
	d.urgent(pressed)
	d.urgent(later)
	if p.light {
		d.lightFirst(pressed)
	}
	ahead := min(p.ahead, len(patient))
	d.patient = len(patient)
	d.order = slices.Concat(front, patient[:ahead])
	for _, i := range d.order {
		d.compete(&d.outcomes[i], true)
	}
	late := d.inTime(pressed)
	rest := slices.Concat(patient[ahead:], late)
	d.urgent(rest)
	for _, i := range rest {
		d.compete(&d.outcomes[i], true)
	}
	d.order = append(d.order, rest...)
	last := d.inTime(later)
	for _, i := range last {
		d.compete(&d.outcomes[i], true)
	}
	d.order, d.late = append(d.order, last...), len(late)+len(last)
	if len(patient) > 0 {
		var until time.Time
		d.over, until = d.overflow(patient[:ahead], slices.Concat(pressed, later))
		d.latest = latest(d.latest, until)
	}
	return d
}

// inTime lets those compete that are in time, and returns the others.
func (d *decider) inTime(which []int) (late []int) {
	for _, i := range which {
		if d.compete(&d.outcomes[i], false) {
			d.order = append(d.order, i)
		} else {
			late = append(late, i)
		}
	}
	return late
}

// urgent sorts by what matters: asked for by name first, then what is already under way, then the earliest deadline; names break ties.
func (d *decider) urgent(which []int) {
	type place struct {
		which, rank int
		deadline    int64
		name        string
	}
	places := make([]place, len(which))
	for n, i := range which {
		c := d.outcomes[i].Certificate
		places[n] = place{i, rank(c), c.Deadline().Unix(), c.Name}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(a.rank-b.rank, cmp.Compare(a.deadline, b.deadline), cmp.Compare(a.name, b.name))
	})
	for n, p := range places {
		which[n] = p.which
	}
}

// lightFirst puts those first that take the least from registered domains' buckets for each certificate that it saves, and leaves the others as they
// are: only the first of a set of names pays.
func (d *decider) lightFirst(which []int) {
	takes, of := make([]float64, len(d.outcomes)), map[string]float64{}
	for _, i := range which {
		c := d.outcomes[i].Certificate
		for _, n := range d.needs(c, d.Now) {
			if perDomain(n) {
				takes[i]++
			}
		}
		of[d.setHash(c)]++
	}
	for _, i := range which {
		takes[i] /= of[d.setHash(d.outcomes[i].Certificate)]
	}
	slices.SortStableFunc(which, func(i, j int) int { return cmp.Compare(takes[i], takes[j]) })
}

// perDomain says whether a need takes from a bucket that only some wait for.
func perDomain(n budget.Need) bool {
	return n.Mode == budget.Take && n.Key.Limit != budget.NewOrdersPerAccount
}

// crowded puts each time one first that waits for the bucket that has the longest time before it, and leaves the others as they are. A bucket only fills while
// it isn't full, so one that is asked last ends last; and where another bucket is scarce for all of them, none of the others may run dry. It holds
// nobody up: what it has no room for leaves the worker to the others.
func (d *decider) crowded(which []int) {
	if len(which) < 2 {
		return
	}
	lanes := map[budget.Key]*lane{}
	needs := make([][]*lane, len(which))
	for n, i := range which {
		for _, need := range d.needs(d.outcomes[i].Certificate, d.Now) {
			if !perDomain(need) {
				continue
			}
			l, known := lanes[need.Key]
			if !known {
				l = &lane{left: -need.Limit.Refill(), each: need.Limit.Emission()}
				lanes[need.Key] = l
			}
			l.left += l.each
			needs[n] = append(needs[n], l)
		}
	}
	old := slices.Clone(which)
	for n, from := range inTurns(needs) {
		which[n] = old[from]
	}
}

// lane is those that wait for one bucket, and for none longer.
type lane struct {
	left, each time.Duration // until all that is asked of it has come, and for one
	waiting    []int         // places in the old order
	place      int           // in the heap; -1 outside of it
}

// inTurns takes the next of the lane that has the longest time before it, until none is left; of equal ones, and of those that needn't wait, the first.
func inTurns(needs [][]*lane) (taken []int) {
	var h laneHeap
	for n, ls := range needs {
		longest := &lane{place: -1} // of one that waits for nothing
		if len(ls) > 0 {
			longest = slices.MaxFunc(ls, func(a, b *lane) int { return cmp.Compare(a.left, b.left) })
		}
		if len(longest.waiting) == 0 {
			longest.place = len(h)
			h = append(h, longest)
		}
		longest.waiting = append(longest.waiting, n)
	}
	heap.Init(&h)
	for len(h) > 0 {
		l := h[0]
		n := l.waiting[0]
		taken, l.waiting = append(taken, n), l.waiting[1:]
		if len(l.waiting) == 0 {
			heap.Pop(&h)
		} else {
			heap.Fix(&h, 0)
		}
		for _, other := range needs[n] {
			if other.left -= other.each; len(other.waiting) > 0 {
				heap.Fix(&h, other.place)
			}
		}
	}
	return taken
}

type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }

func (h laneHeap) Less(i, j int) bool {
	if a, b := max(0, h[i].left), max(0, h[j].left); a != b {
		return a > b
	}
	return h[i].waiting[0] < h[j].waiting[0]
}

func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is heap.Interface's.
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.place = len(*h)
	*h = append(*h, l)
}

// Pop is heap.Interface's.
func (h *laneHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	*h = (*h)[:last]
	return l
}

// isPatient says whether c has nothing left to lose: it is a first certificate or has ended already.
func (d *decider) isPatient(c *inventory.Certificate) bool {
	return c.InUse == nil || !c.Deadline().After(d.Now)
}

func rank(c *inventory.Certificate) int {
	switch {
	case c.Status.Asked != nil:
		return 0
	case c.Status.Issuance != "":
		return 1
	default:
		return 2
	}
}
