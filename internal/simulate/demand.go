package simulate

import (
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// demand is what a set of certificates, all free to be ordered from one moment on, asks of the worker and of each bucket. Only what nobody can
// avoid counts: an order that could be made in its window, or for a set that the CA remembers, is exempt here as it is there.
type demand struct {
	rates    rates
	issuance time.Duration
	from     time.Time
	ari      bool
	sets     map[string]bool            // the CA remembers, or will once the first of them is issued
	worker   []time.Duration            // deadlines after from; never where there is none
	buckets  map[bucket][]time.Duration // the same of the orders that spend each
}

const never = time.Duration(1<<63 - 1)

func newDemand(s Scenario, from time.Time) *demand {
	return &demand{
		rates: ratesOf(s).usable(s.PlannerShare), issuance: s.Issuance, from: from, ari: s.CA.ARI, sets: map[string]bool{}, buckets: map[bucket][]time.Duration{},
	}
}

// know tells which sets the CA remembers from before.
func (d *demand) know(entries []*entry) {
	for _, e := range entries {
		if u := e.certificate.InUse; u != nil && u.NotBefore.After(d.from.Add(-setMemory)) {
			d.sets[setOf(u.Domains)] = true
		}
	}
}

// add counts one order for e. window is the end of what the CA suggests for what is in use; zero where there is none.
func (d *demand) add(e *entry, domains []string, window time.Time) {
	deadline := never
	if !e.ends.IsZero() {
		deadline = e.ends.Sub(d.from)
	}
	d.worker = append(d.worker, deadline)
	if d.ari && window.After(d.from) {
		return
	}
	set := setOf(e.certificate.Wanted.Domains)
	spends := []bucket{{budget.CertificatesPerExactSet, 0, set}}
	if !d.sets[set] {
		spends = append(append(spends, bucket{budget.NewOrdersPerAccount, 1, ""}), d.rates.asked(1, domains)...)
		d.sets[set] = true
	}
	for _, b := range spends {
		d.buckets[b] = append(d.buckets[b], deadline)
	}
}

// bound is the time that no schedule can beat: the worker's, or that of the bucket that takes longest.
func (d *demand) bound() time.Duration {
	longest := time.Duration(len(d.worker)) * d.issuance
	for b, orders := range d.buckets {
		if r, limited := d.rates[b.limit]; limited {
			longest = max(longest, time.Duration((int64(len(orders))-r.offset/r.emission)*r.emission))
		}
	}
	return longest
}

// late is, for the worker and for each bucket alone, how many orders must miss their deadlines whatever the schedule.
func (d *demand) late() map[bucket]int {
	all := map[bucket]int{{}: mooreHodgson(d.worker, d.paced())}
	for b, deadlines := range d.buckets {
		r, limited := d.rates[b.limit]
		if !limited {
			continue
		}
		if n := mooreHodgson(deadlines, func(n int) time.Duration { return r.nth(n) + d.issuance }); n > 0 {
			all[b] = n
		}
	}
	return all
}

// paced is when the worker has made n of them; it is asked for one n after the other, some more than once. Nobody orders at second 0 of an hour.
func (d *demand) paced() func(n int) time.Duration {
	made, at := 0, d.from
	return func(n int) time.Duration {
		for ; made < n; made++ {
			at = offTheHour(at).Add(d.issuance)
		}
		return at.Sub(d.from)
	}
}

// nth is when the n-th token of a full bucket can be taken, n from 1.
func (r rate) nth(n int) time.Duration {
	return time.Duration(max(0, (int64(n)-r.offset/r.emission)*r.emission))
}

// mooreHodgson is the least number of jobs that are late on one machine on which all take equally long: in the order of their deadlines, each
// one that would be late is left out. done is when the n-th job that is not left out is done.
func mooreHodgson(deadlines []time.Duration, done func(n int) time.Duration) (late int) {
	sorted := slices.Clone(deadlines)
	slices.Sort(sorted)
	n := 0
	for _, d := range sorted {
		if done(n+1) <= d {
			n++
		} else {
			late++
		}
	}
	return late
}
