package simulate

import "time"

// endings counts what is in use by the hour in which it ends, to tell the next end without looking at the whole fleet.
type endings struct {
	start time.Time
	count []int
	low   int // no hour before it has any
	total int
}

// add counts n more, or fewer, that end at a moment; what ended before the start counts at the start.
func (e *endings) add(at time.Time, n int) {
	i := max(0, int(at.Sub(e.start)/time.Hour))
	for len(e.count) <= i {
		e.count = append(e.count, 0)
	}
	e.count[i] += n
	e.total += n
	e.low = min(e.low, i)
}

func (e *endings) none() bool { return e.total == 0 }

// next is the hour in which the next of them ends; the start where there are none.
func (e *endings) next() time.Time {
	if e.none() {
		return e.start
	}
	for e.count[e.low] == 0 {
		e.low++
	}
	return e.start.Add(time.Duration(e.low) * time.Hour)
}
