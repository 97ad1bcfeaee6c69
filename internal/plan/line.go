package plan

import (
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// line is something scarce through time, a bucket of the CA's or the worker, with all that the plan has given away of it, now and later. It is
// Boulder's GCRA (docs/limits.md, section 3) run over a list of moments instead of over one, so that a certificate that has to wait for one bucket
// keeps its place in all of its buckets, while others still get whatever comes back before that. Times are Unix nanoseconds.
type line struct {
	emission int64
	slack    int64   // how far the TAT may lie ahead of a moment at which one more is given away: (burst − 1) × emission
	kept     int64   // the part of slack that the planner leaves to people
	tat      int64   // before all of them
	at       []int64 // the moments, ascending
	tats     []int64 // the TAT after each
	from     int64   // from here to free there is nothing for the planner, nor will there be: giving away only takes
	free     int64
}

func newLine(l budget.Limit, b budget.Bucket, keep int64, now time.Time) *line {
	at := now.UnixNano()
	return &line{
		emission: int64(l.Emission()), slack: int64(l.Refill() - l.Emission()), kept: keep * int64(l.Emission()),
		tat: b.TATNanos(), from: at, free: at,
	}
}

// next is the first moment from t on at which the planner can give one more away without taking it from those that come later.
func (l *line) next(t int64) int64 {
	if t >= l.from && t <= l.free {
		l.free = l.search(l.free, l.slack-l.kept)
		return l.free
	}
	at := l.search(t, l.slack-l.kept)
	if at-t > l.free-l.from { // the longer stretch of nothing is worth more: with moments that rise, the next one asks from within it
		l.from, l.free = t, at
	}
	return at
}

// nextForPeople is next for what a person asked for, who may also have what is left to people.
func (l *line) nextForPeople(t int64) int64 { return l.search(t, l.slack) }

func (l *line) search(t, slack int64) int64 {
	i, _ := slices.BinarySearch(l.at, t)
	for {
		before := l.before(i)
		t = max(t, before-slack)
		if i < len(l.at) && t > l.at[i] {
			i++
			continue
		}
		robbed := l.robbed(i, max(before, t)+l.emission, slack)
		if robbed < 0 {
			return t
		}
		t, i = l.at[robbed], robbed+1 // put anywhere before that one, it would be robbed all the same
	}
}

// before is the TAT before the i-th moment.
func (l *line) before(i int) int64 {
	if i == 0 {
		return l.tat
	}
	return l.tats[i-1]
}

// robbed is the first from the i-th on that would be left without a token if the TAT before it were tat; -1 if none is.
func (l *line) robbed(i int, tat, slack int64) int {
	for ; i < len(l.at); i++ {
		if l.at[i] < tat-slack {
			return i
		}
		if tat = max(tat, l.at[i]) + l.emission; tat == l.tats[i] {
			break // from here on all is as it was
		}
	}
	return -1
}

// through is the TAT after one more is given away at t: of a worker, when it has done that one too.
func (l *line) through(t int64) int64 {
	i, _ := slices.BinarySearch(l.at, t+1)
	return max(l.before(i), t) + l.emission
}

// take gives one away at a moment that next found.
func (l *line) take(t int64) {
	i, _ := slices.BinarySearch(l.at, t+1)
	l.at, l.tats = slices.Insert(l.at, i, t), slices.Insert(l.tats, i, 0)
	for tat := l.before(i); i < len(l.at); i++ {
		if tat = max(tat, l.at[i]) + l.emission; tat == l.tats[i] {
			break
		}
		l.tats[i] = tat
	}
}
