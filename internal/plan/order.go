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
// all the same.
func settle(in Input) *decider {
	all := try(in, math.MaxInt, never)
	if all.late == 0 && all.tight == 0 || all.patient == 0 {
		return all
	}
	least := try(in, 0, never)
	if !all.worse(least) {
		return all
	}
	kept, few := least, 0
	for many := all.patient; many-few > 1+all.patient>>trials; {
		ahead := few + (many-few)/2
		if d := try(in, ahead, never); d.worse(least) {
			many = ahead
		} else {
			few, kept = ahead, d
		}
	}
	if d := try(in, few, all.latest); !d.worse(least) {
		return d
	}
	return kept
}

// never is a deadline after all others.
var never = time.Unix(1<<40, 0)

// worse says whether more are late by d than by another plan, or nearer to it.
func (d *decider) worse(than *decider) bool { return d.late > than.late || d.tight > than.tight }

// try makes the plan with so many of those that have nothing left to lose ahead of the others, and the rest of them ahead of what ends later than calm.
func try(in Input, ahead int, calm time.Time) *decider {
	d := newDecider(in)
	var front, patient, pressed, later []int
	for _, i := range d.survey() {
		switch c := d.outcomes[i].Certificate; {
		case rank(c) < 2:
			front = append(front, i)
		case c.InUse == nil || !c.Deadline().After(d.Now):
			patient = append(patient, i)
		case c.Deadline().After(calm):
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
	ahead, d.patient = min(ahead, len(patient)), len(patient)
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

// crowded puts each time one first that waits for the bucket that has the longest time before it, and leaves the others as they are. A bucket only fills while
// it isn't full, so one that is asked last ends last; and where another bucket is scarce for all of them, none of the others may run dry. It holds
// nobody up: what it has no room for leaves the worker to the others.
func (d *decider) crowded(which []int) {
	if len(which) < 2 {
		return
	}
	asked := map[budget.Key]time.Duration{} // until what is asked of a bucket has come
	keys := make([][]budget.Need, len(which))
	for n, i := range which {
		for _, need := range d.needs(d.outcomes[i].Certificate, d.Now) {
			if need.Mode == budget.Take && need.Key.Limit != budget.NewOrdersPerAccount { // that one all of them wait for
				if _, known := asked[need.Key]; !known {
					asked[need.Key] = -need.Limit.Refill()
				}
				asked[need.Key] += need.Limit.Emission()
				keys[n] = append(keys[n], need)
			}
		}
	}
	lanes := map[budget.Key]*lane{}
	for n, needs := range keys {
		longest := lane{}
		for _, need := range needs {
			if asked[need.Key] > longest.left || longest.each == 0 {
				longest = lane{left: asked[need.Key], each: need.Limit.Emission(), key: need.Key}
			}
		}
		if lanes[longest.key] == nil {
			lanes[longest.key] = &longest
		}
		lanes[longest.key].waiting = append(lanes[longest.key].waiting, n)
	}
	taken := inTurns(lanes)
	old := slices.Clone(which)
	for n, from := range taken {
		which[n] = old[from]
	}
}

// lane is those that wait for one bucket.
type lane struct {
	key     budget.Key
	left    time.Duration // until the last of them has its token
	each    time.Duration
	waiting []int // places in the old order
}

// inTurns takes the next of the lane that has the longest time before it, until none is left; of equal ones, and of those that needn't wait, the first.
func inTurns(lanes map[budget.Key]*lane) []int {
	h := make(laneHeap, 0, len(lanes))
	for _, l := range lanes {
		h = append(h, l)
	}
	heap.Init(&h)
	var taken []int
	for len(h) > 0 {
		l := h[0]
		taken = append(taken, l.waiting[0])
		l.waiting, l.left = l.waiting[1:], l.left-l.each
		if len(l.waiting) == 0 {
			heap.Pop(&h)
		} else {
			heap.Fix(&h, 0)
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

func (h laneHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *laneHeap) Push(x any) { *h = append(*h, x.(*lane)) }

// Pop is heap.Interface's.
func (h *laneHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	*h = (*h)[:last]
	return l
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
