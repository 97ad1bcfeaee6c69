package ca

import "math/rand/v2"

// Faults are a network that loses things, by chance: which requests they meet depends on the seed and on a request's number alone.
type Faults struct {
	Lost float64 // share of requests that the CA carries out and whose answer is lost: half of these in the middle of the body
	Cut  float64 // share of connections that are cut before the CA sees the request
	Seed uint64
}

// Fail makes requests meet faults, until removed.
func (c *CA) Fail(f Faults) (remove func()) {
	// One draw a request: a generator of its own for each, so that what came before doesn't matter.
	draw := func(r Request) float64 { return rand.New(rand.NewPCG(f.Seed, uint64(r.Seq))).Float64() }
	before := c.OnBefore(func(r Request) Verdict {
		if draw(r) < f.Cut {
			return Cut()
		}
		return Pass()
	})
	after := c.OnAfter(func(r Request) Verdict {
		switch d := draw(r) - f.Cut; {
		case d < f.Lost/2:
			return Cut()
		case d < f.Lost:
			return Truncate()
		}
		return Pass()
	})
	return func() { before(); after() }
}

// Tally is what a client's requests came to.
type Tally struct {
	Requests  int
	Refused   int // by the edge: 503
	BadNonces int
	Lost      int // carried out, and the answer was lost
	Cut       int // cut off before the CA saw it
	Most      int // in flight at once
	Kinds     map[Kind]int
}

// Faults is what wasn't the client's doing.
func (t Tally) Faults() int { return t.Refused + t.BadNonces + t.Lost + t.Cut }

// Count adds requests up, such as those of c.Requests()[n:].
func Count(requests []Request) Tally {
	t := Tally{Requests: len(requests), Kinds: map[Kind]int{}}
	for _, r := range requests {
		t.Kinds[r.Kind]++
		t.Most = max(t.Most, r.InFlight)
		switch {
		case r.Refused:
			t.Refused++
		case r.Cut && r.Upstream == 0:
			t.Cut++
		case r.Cut:
			t.Lost++
		case r.BadNonce:
			t.BadNonces++
		}
	}
	return t
}
