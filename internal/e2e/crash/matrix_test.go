package crash

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/certpace/certpace/internal/e2e/witness"
)

// lanes are for the cells at a time, of all tests: an issuance mostly waits, for the DNS and for the CA.
var lanes = make(chan struct{}, 12)

// discover watches undisturbed issuances, and lists the calls that all of them make: of a first one, and of a renewal.
func discover(t *testing.T, reuse bool, fleet []witness.Entry) (first, renewal []call) {
	t.Helper()
	seen := [2][2][]call{}
	var all sync.WaitGroup
	for n := range seen {
		c := newCell(t, reuse, fleet)
		all.Go(func() {
			for leg := range seen[n] {
				before := c.past()
				c.disturb(call{}, untouched)
				seen[n][leg] = c.wire.seen()
				c.settle(before.at)
			}
		})
	}
	all.Wait()
	for leg, list := range []*[]call{&first, &renewal} {
		*list = inBoth(seen[0][leg], seen[1][leg])
		if len(*list) < 40 {
			t.Fatalf("only %d calls were found in issuance %d: %v", len(*list), leg+1, *list)
		}
	}
	return first, renewal
}

var once struct {
	sync.Once
	first, renewal []call
}

// ofOne are the calls for a single certificate.
func ofOne(t *testing.T) (first, renewal []call) {
	t.Helper()
	once.Do(func() { once.first, once.renewal = discover(t, anew, single) })
	if len(once.first) == 0 {
		t.Fatal("another test failed to find the calls")
	}
	return once.first, once.renewal
}

// loses says which newOrder's answer is lost with a call that meets a fate, or that it was written down; 0 for none.
func loses(calls []call, aim call, f fate) int {
	if aim.name == newOrder {
		return aim.n
	}
	if i := slices.Index(calls, aim); f == killedBefore && i > 0 && calls[i-1].name == newOrder {
		return calls[i-1].n
	}
	return 0
}

// job is one cell of the matrix: the same fate for one call of the first issuance and one of the renewal.
type job struct {
	name string
	run  func(*testing.T)
}

// sideBySide runs jobs as subtests, some at a time.
func sideBySide(t *testing.T, jobs []job) {
	t.Helper()
	var all sync.WaitGroup
	for _, j := range jobs {
		lanes <- struct{}{}
		all.Go(func() {
			defer func() { <-lanes }()
			t.Run(j.name, j.run)
		})
	}
	all.Wait()
}

func TestWhateverBecomesOfAnyCallTheNextDeliveryFinishesTheSameOrder(t *testing.T) {
	t.Parallel()
	first, renewal := ofOne(t)
	t.Logf("%d calls of a first issuance, %d of a renewal", len(first), len(renewal))
	var jobs []job
	for i := range max(len(first), len(renewal)) {
		for _, f := range fatesOf(i, fates) {
			jobs = append(jobs, both(anew, single, i, f, first, renewal))
		}
	}
	sideBySide(t, jobs)
}

// Let's Encrypt hands a pending order out again to the same account, names and profile, so one certificate could be given the other's.
func TestAnRSAAndAnECDSACertificateOfOneSetAreNeverGivenEachOthersOrder(t *testing.T) {
	t.Parallel()
	pair := []witness.Entry{
		{Name: "rsa", Domains: []string{"www"}, KeyType: "rsa2048"},
		{Name: "ecdsa", Domains: []string{"www"}, KeyType: "ec256"},
	}
	// How often the two get in each other's way is a matter of time; what is aimed at is made at two times.
	first, renewal := discover(t, reused, pair)
	again, renewedAgain := discover(t, reused, pair)
	first, renewal = inBoth(first, again), inBoth(renewal, renewedAgain)
	t.Logf("%d calls of two first issuances, %d of two renewals", len(first), len(renewal))
	var jobs []job
	for i := range max(len(first), len(renewal)) {
		if !everything() && i%pairStep != 0 {
			continue
		}
		for _, f := range fatesOf(i/pairStep, []fate{killedBefore, killedAfter, answerLost}) {
			jobs = append(jobs, both(reused, pair, i, f, first, renewal))
		}
	}
	sideBySide(t, jobs)
}

// alsoRenewed says whether the renewal is disturbed in this cell too. In make test that is every other row of fates, and where a call is made by
// renewals alone.
func alsoRenewed(i int, aim call, first []call) bool {
	known := slices.ContainsFunc(first, func(c call) bool { return c.name == aim.name })
	return everything() || !known || i/len(fates)%2 == 0
}

// pairStep is how many calls of the pair make test goes on at a time.
const pairStep = 12

// both is the cell in which the i-th call of a first issuance meets a fate, and then that of a renewal.
func both(reuse bool, fleet []witness.Entry, i int, f fate, first, renewal []call) job {
	return job{fmt.Sprintf("%02d %s", i+1, f), func(t *testing.T) {
		for range triesOf(fleet) {
			c := newCell(t, reuse, fleet)
			if c.meets(f, i, first, renewal) {
				return
			}
		}
		t.Errorf("the %d. call was never made", i+1)
	}}
}

// triesOf is how often a call may not be made where it was aimed at: how often the jobs of a batch look at each other is a matter of time.
func triesOf(fleet []witness.Entry) int { return 2*len(fleet) - 1 }

// meets carries a cell out; false where a call was never made.
func (c *cell) meets(f fate, i int, first, renewal []call) bool {
	t := c.t
	met := true
	for leg, calls := range [][]call{first, renewal} {
		aim := calls[i%len(calls)]
		if leg > 0 && !alsoRenewed(i, aim, first) {
			break
		}
		ok := t.Run(fmt.Sprintf("issuance %d, %s", leg+1, aim), func(t *testing.T) {
			c.t = t
			met = c.issue(aim, f, loses(calls, aim, f))
		})
		if !ok || !met {
			break
		}
	}
	return met
}

// inBoth are the calls of a that b has, too.
func inBoth(a, b []call) []call {
	return slices.DeleteFunc(a, func(c call) bool { return !slices.Contains(b, c) })
}

// fatesOf are those that the i-th point meets.
func fatesOf(i int, all []fate) []fate {
	if everything() {
		return all
	}
	return []fate{all[i%len(all)]}
}
