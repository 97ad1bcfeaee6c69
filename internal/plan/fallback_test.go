package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

const otherDirectory = "https://other.example/dir"

// backed is a certificate with a second CA, of 90 days of which so many are left; its last call is nine days before the end.
func backed(name string, left time.Duration) inventory.Certificate {
	c := inUse(name, now.Add(left-30*day))
	c.Wanted.Fallback = &inventory.Fallback{Directory: otherDirectory}
	return c
}

// pair is an input of two CAs, whose registered domains give one certificate in twelve hours, and hold two.
func pair(cs ...inventory.Certificate) plan.Input {
	in := input(cs...)
	in.Share = 1
	limits := budget.Limits{perDomain: {Burst: 2, Count: 1, Period: 12 * time.Hour}}
	in.CAs = map[string]plan.CA{directory: {Host: "ca.example", Limits: limits}, otherDirectory: {Host: "other.example", Limits: limits}}
	in.Have = map[budget.Key]budget.Bucket{}
	return in
}

// unknown makes the names new to the CA that has issued them so far: its renewals pay for the domain.
func unknown(c inventory.Certificate) inventory.Certificate {
	u := *c.InUse
	u.Account, u.CertID = "", ""
	c.InUse = &u
	return c
}

// comes is a bucket of pair whose next token comes after d.
func comes(d time.Duration) budget.Bucket { return budget.Bucket{TAT: now.Add(12*time.Hour + d)} }

func at(ca, domain string) budget.Key {
	return budget.Key{CA: ca, Limit: perDomain, Subject: domain}
}

func pausedAt(ca, name string) budget.Key {
	return budget.Key{CA: ca, Limit: budget.ConsecutiveFailures, Subject: budget.FailureSubject("0", name)}
}

func TestWhatTheFirstCACannotIssueInTimeGoesToTheSecond(t *testing.T) {
	const domain = "www.example"
	for name, tc := range map[string]struct {
		left   time.Duration // of what is in use
		have   map[budget.Key]budget.Bucket
		second bool
		sends  bool
		want   reason.Reason
		until  time.Duration // where nothing is sent
		says   string
	}{
		"room at the first one": {
			20 * day, nil, false, true, reason.Scheduled, 0, "",
		},
		"room at the first one, even after the last call": {
			2 * day, nil, false, true, reason.Scheduled, 0, "",
		},
		"room at the first one before the last call is waited for": {
			20 * day, map[budget.Key]budget.Bucket{at("ca.example", domain): comes(10 * day)}, false, false, reason.Budget, 10 * day, "before 2026-12-11T09:30:00Z",
		},
		"no room at the first one before the last call": {
			20 * day, map[budget.Key]budget.Bucket{at("ca.example", domain): comes(12 * day)}, true, true, reason.Scheduled, 0,
			"at the second CA, https://other.example/dir: no room in certificates-per-registered-domain of www.example before 2026-12-13T09:30:00Z at ca.example",
		},
		"no room at either: it waits for the one that has it sooner, here the first": {
			20 * day, map[budget.Key]budget.Bucket{at("ca.example", domain): comes(12 * day), at("other.example", domain): comes(13 * day)},
			false, false, reason.Budget, 11 * day, "no room in certificates-per-registered-domain of www.example before 2026-12-13T09:30:00Z",
		},
		"and the first where both have it at once": {
			20 * day, map[budget.Key]budget.Bucket{at("ca.example", domain): comes(12 * day), at("other.example", domain): comes(12 * day)},
			false, false, reason.Budget, 11 * day, "before 2026-12-13T09:30:00Z",
		},
		"here the second": {
			20 * day, map[budget.Key]budget.Bucket{at("ca.example", domain): comes(13 * day), at("other.example", domain): comes(12 * day)},
			false, false, reason.Budget, 11 * day, "before 2026-12-13T09:30:00Z, at the second CA, https://other.example/dir: no room in certificates-per-registered-domain of www.example before 2026-12-14T09:30:00Z at ca.example",
		},
		"the first one paused": {
			20 * day, map[budget.Key]budget.Bucket{pausedAt("ca.example", domain): budget.Paused()}, true, true, reason.Scheduled, 0, "ca.example paused the account for www.example",
		},
		"both paused": {
			20 * day, map[budget.Key]budget.Bucket{pausedAt("ca.example", domain): budget.Paused(), pausedAt("other.example", domain): budget.Paused()},
			false, false, reason.AccountPaused, day, "the CA paused the account for www.example",
		},
		"the second one paused, and no room at the first": {
			20 * day, map[budget.Key]budget.Bucket{at("ca.example", domain): comes(12 * day), pausedAt("other.example", domain): budget.Paused()},
			false, false, reason.Budget, 11 * day, "before 2026-12-13",
		},
		"what has ended goes where there is room sooner": {
			-day, map[budget.Key]budget.Bucket{at("ca.example", domain): comes(time.Hour)}, true, true, reason.Scheduled, 0, "before 2026-12-01T10:30:00Z at ca.example",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := pair(unknown(backed("www", tc.left)))
			if tc.have != nil {
				in.Have = tc.have
			}
			o, c := outcome(t, plan.Decide(in), "www")
			s := c.Status
			// What has its turn in the last part of its life, or later, is looked at when that
			// begins.
			if o.Sends() != tc.sends || s.Reason != tc.want || (s.Fallback != "") != tc.second || !tc.sends && !s.Due.Equal(now.Add(tc.until)) {
				t.Errorf("sends %t at %s, %+v", o.Sends(), o.Start, s)
			}
			if !strings.Contains(s.Message, tc.says) {
				t.Errorf("message %q, want in it %q", s.Message, tc.says)
			}
			if on := strings.Contains(s.Message, "second CA"); on != strings.Contains(tc.says, "second CA") && !tc.second {
				t.Errorf("message %q", s.Message)
			}
			want := directory
			if tc.second {
				want = otherDirectory
			}
			if got := c.Ordered().Directory; got != want {
				t.Errorf("ordered of %s", got)
			}
		})
	}
}

// Two certificates that need the same domain tell where the first of them took from: the other finds one token less there.
func TestOnlyTheChosenCAsBucketsAreTakenFrom(t *testing.T) {
	one, two := unknown(backed("a-one", 20*day)), unknown(backed("b-two", 21*day))
	third := unknown(inUse("c-plain", now.Add(-day))) // of the first CA alone
	fourth := unknown(inUse("d-other", now.Add(-day)))
	fourth.Wanted.Directory, fourth.InUse.Directory = otherDirectory, otherDirectory
	in := pair(one, two, third, fourth)
	in.Registered = all("crowded.example")
	in.Have[at("ca.example", "crowded.example")] = comes(13 * day)
	p := plan.Decide(in)
	for name, want := range map[string]struct {
		second bool
		until  time.Duration // 0: at once
	}{
		"a-one": {true, 0}, "b-two": {true, 0}, // both tokens of the second CA
		"c-plain": {false, 13 * day},       // the first one's is still there for it
		"d-other": {false, 12 * time.Hour}, // and of the second one's the next
	} {
		o, c := outcome(t, p, name)
		if o.Sends() != (want.until == 0) || (c.Status.Fallback != "") != want.second || !o.Sends() && !c.Status.Due.Equal(now.Add(want.until)) {
			t.Errorf("%s: %+v", name, c.Status)
		}
	}
	// what was sent keeps its token there while it is on the queue
	in.Certificates = nil
	for _, o := range p.Outcomes {
		c := p.Record(o)
		if c.Name == "d-other" {
			c.Status = inventory.Status{Due: now}
		}
		in.Certificates = append(in.Certificates, c)
	}
	if _, c := outcome(t, plan.Decide(in), "d-other"); !c.Status.Due.Equal(now.Add(12 * time.Hour)) {
		t.Errorf("planned again: %+v", c.Status)
	}
}

func TestAFailingFirstCAHasUntilTheLastCall(t *testing.T) {
	for name, tc := range map[string]struct {
		left   time.Duration
		r      reason.Reason
		wait   time.Duration
		second bool
		due    time.Duration // where nothing is sent; the outcome's own wait where it is zero
	}{
		"while there is time it waits for its next attempt":        {20 * day, reason.CAUnavailable, day, false, 0},
		"when there isn't the second CA is asked at once":          {8 * day, reason.CAUnavailable, day, true, 0},
		"also after a refusal":                                     {8 * day, reason.CARefused, day, true, 0},
		"also where CAA records leave only the second one":         {8 * day, reason.CAAForbids, day, true, 0},
		"also where what it sent doesn't verify":                   {8 * day, reason.BadCertificate, day, true, 0},
		"also after a 429":                                         {8 * day, reason.RateLimited, day, true, 0},
		"also where the first one has room again by now":           {8 * day, reason.CAUnavailable, -time.Minute, true, 0},
		"the last call may come before the next attempt":           {9*day + 6*time.Hour, reason.CAUnavailable, day, false, 6 * time.Hour},
		"or within the tick":                                       {9*day + 10*time.Minute, reason.CAUnavailable, day, true, 0},
		"a failed validation would fail there too":                 {8 * day, reason.ValidationFailed, day, false, 0},
		"so would a missing zone, or permission":                   {8 * day, reason.PermissionDenied, day, false, 0},
		"a 429 that reaches beyond the last call isn't waited for": {20 * day, reason.RateLimited, 12 * day, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := backed("www", tc.left)
			c.Status = inventory.Status{Due: now, Failures: 3, Reason: tc.r, At: now.Add(-time.Minute), NextAttempt: now.Add(tc.wait)}
			in := pair(c)
			if tc.r == reason.RateLimited { // the bucket was told
				in.Certificates[0] = unknown(c)
				in.Have[at("ca.example", "www.example")] = comes(tc.wait)
			}
			o, c := outcome(t, plan.Decide(in), "www")
			s := c.Status
			if o.Sends() != tc.second || (s.Fallback != "") != tc.second {
				t.Fatalf("sends %t, %+v", o.Sends(), s)
			}
			if tc.second {
				last := latest(now, c.LastCall())
				if tc.r == reason.RateLimited && tc.left > 9*day {
					last = now
				}
				if !o.Start.Equal(last) || !s.NextAttempt.IsZero() && s.NextAttempt.After(o.Start) || s.Failures != 3 {
					t.Errorf("starts %s, %+v", o.Start, s)
				}
				return
			}
			due := now.Add(tc.wait)
			if tc.due > 0 {
				due = now.Add(tc.due)
			}
			if !s.Due.Equal(due) || s.Reason != tc.r {
				t.Errorf("%+v", s)
			}
		})
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func TestWhatFailedAtTheSecondCAWaitsForItsNextAttemptAndIsTheFirstOnesThen(t *testing.T) {
	failed := func(next time.Duration) inventory.Certificate {
		c := unknown(backed("www", 8*day))
		c.Status = inventory.Status{Due: now, Failures: 4, Reason: reason.CAUnavailable, At: now.Add(-time.Minute), NextAttempt: now.Add(next), Fallback: "the first one failed"}
		return c
	}
	t.Run("not before", func(t *testing.T) {
		o, c := outcome(t, plan.Decide(pair(failed(time.Hour))), "www")
		if o.Sends() || !c.Status.Due.Equal(now.Add(time.Hour)) || c.Status.Fallback == "" {
			t.Errorf("%+v", c.Status)
		}
	})
	t.Run("the first one has its turn", func(t *testing.T) {
		o, c := outcome(t, plan.Decide(pair(failed(time.Minute))), "www")
		if !o.Start.Equal(now.Add(time.Minute)) || c.Status.Fallback != "" {
			t.Errorf("starts %s, %+v", o.Start, c.Status)
		}
	})
	t.Run("unless it has no room", func(t *testing.T) {
		in := pair(failed(time.Minute))
		in.Have[at("ca.example", "www.example")] = comes(time.Hour)
		o, c := outcome(t, plan.Decide(in), "www")
		if !o.Start.Equal(now.Add(time.Minute)) || !strings.HasPrefix(c.Status.Fallback, "no room in ") {
			t.Errorf("starts %s, %+v", o.Start, c.Status)
		}
	})
}

func TestAChoiceStandsUntilItIsCarriedOut(t *testing.T) {
	chosen := func(r reason.Reason) inventory.Certificate {
		c := unknown(backed("www", 20*day))
		c.Status = inventory.Status{Due: now, Reason: r, At: now.Add(-time.Hour), Start: now.Add(-time.Hour), Fallback: "no room"}
		return c
	}
	for _, r := range []reason.Reason{reason.Scheduled, reason.WorkerFull, reason.Interrupted} {
		t.Run(string(r), func(t *testing.T) {
			o, c := outcome(t, plan.Decide(pair(chosen(r))), "www")
			if !o.Sends() || c.Status.Fallback != "no room" {
				t.Errorf("sends %t, %+v", o.Sends(), c.Status)
			}
		})
	}
	t.Run("but the first one is better than waiting", func(t *testing.T) {
		in := pair(chosen(reason.Scheduled))
		in.Have[at("other.example", "www.example")] = comes(day)
		if o, c := outcome(t, plan.Decide(in), "www"); !o.Sends() || c.Status.Fallback != "" {
			t.Errorf("sends %t, %+v", o.Sends(), c.Status)
		}
	})
	t.Run("and nothing stands once there is no second CA", func(t *testing.T) {
		c := chosen(reason.Scheduled)
		c.Wanted.Fallback = nil
		if o, c := outcome(t, plan.Decide(pair(c)), "www"); !o.Sends() || c.Status.Fallback != "" {
			t.Errorf("sends %t, %+v", o.Sends(), c.Status)
		}
	})
}

func TestAnOpenIssuanceStaysWhereItIsUnlessThatCAFails(t *testing.T) {
	open := func(left time.Duration, r reason.Reason, fallback string) inventory.Certificate {
		c := unknown(backed("www", left))
		c.Status = inventory.Status{Due: now, Issuance: "k", Failures: 1, Reason: r, At: now.Add(-time.Hour), NextAttempt: now.Add(-time.Minute), Fallback: fallback}
		return c
	}
	for name, tc := range map[string]struct {
		c      inventory.Certificate
		have   map[budget.Key]budget.Bucket
		second bool
	}{
		"while there is time":                     {open(20*day, reason.CAUnavailable, ""), nil, false},
		"what fails for another reason":           {open(8*day, reason.DNSNotVisible, ""), nil, false},
		"what the first CA fails":                 {open(8*day, reason.CAUnavailable, ""), nil, true},
		"but not into a budget without room":      {open(8*day, reason.CAUnavailable, ""), map[budget.Key]budget.Bucket{at("other.example", "www.example"): comes(time.Hour)}, false},
		"nor into a pause":                        {open(8*day, reason.CAUnavailable, ""), map[budget.Key]budget.Bucket{pausedAt("other.example", "www.example"): budget.Paused()}, false},
		"what stands at the second one":           {open(8*day, reason.DNSNotVisible, "why"), nil, true},
		"what the second one fails":               {open(8*day, reason.CAUnavailable, "why"), nil, false},
		"unless the first one has no room for it": {open(8*day, reason.CAUnavailable, "why"), map[budget.Key]budget.Bucket{at("ca.example", "www.example"): comes(time.Hour)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := pair(tc.c)
			if tc.have != nil {
				in.Have = tc.have
			}
			o, c := outcome(t, plan.Decide(in), "www")
			if !o.Sends() || (c.Status.Fallback != "") != tc.second || c.Status.Issuance != "k" {
				t.Errorf("sends %t, %+v", o.Sends(), c.Status)
			}
		})
	}
	t.Run("and what backs off at the first goes to the second at once", func(t *testing.T) {
		c := open(8*day, reason.CAUnavailable, "")
		c.Status.NextAttempt = now.Add(day)
		if o, c := outcome(t, plan.Decide(pair(c)), "www"); !o.Start.Equal(now) || c.Status.Fallback == "" || !c.Status.NextAttempt.IsZero() {
			t.Errorf("starts %s, %+v", o.Start, c.Status)
		}
	})
	t.Run("what a worker holds is left to it, wherever it stands", func(t *testing.T) {
		c := open(8*day, reason.Scheduled, "why")
		c.Status.Due = now.Add(time.Minute)
		c.Status.Reason = reason.CAUnavailable
		if o, c := outcome(t, plan.Decide(pair(c)), "www"); o.Sends() || c.Status.Reason != reason.InProgress || c.Status.Fallback != "why" {
			t.Errorf("sends %t, %+v", o.Sends(), c.Status)
		}
	})
}

// What the second CA issued is renewed at the first one, to which it is nothing that it knows: no window exempts it, and no set of names but one that
// that CA issued itself.
func TestWhatTheSecondCAIssuedIsTheFirstOnesAgain(t *testing.T) {
	renewal := func() inventory.Certificate {
		c := backed("www", 30*day)
		c.InUse.Directory, c.InUse.Account, c.InUse.CertID = otherDirectory, "https://other.example/account/1", "id"
		c.InUse.Window = &inventory.Window{Start: now.Add(-time.Hour), End: now.Add(day)}
		return c
	}
	full := map[budget.Key]budget.Bucket{at("ca.example", "www.example"): comes(25 * day), at("other.example", "www.example"): comes(25 * day)}
	t.Run("at its price", func(t *testing.T) {
		o, c := outcome(t, plan.Decide(pair(renewal())), "www")
		if !o.Sends() || c.Status.Fallback != "" || o.Job().Reason != "renewal" {
			t.Errorf("%+v", c.Status)
		}
	})
	t.Run("at the second one again, where the window exempts it, if the first has no room", func(t *testing.T) {
		in := pair(renewal())
		in.Have = full
		if o, c := outcome(t, plan.Decide(in), "www"); !o.Sends() || c.Status.Fallback == "" {
			t.Errorf("%+v", c.Status)
		}
	})
	t.Run("at the first one without paying, where it issued these names lately", func(t *testing.T) {
		in := pair(renewal())
		in.Have = full
		in.Sets = map[string]map[string]time.Time{"ca.example": {budget.SetHash([]string{"www.example"}): now.Add(-90 * day)}}
		if o, c := outcome(t, plan.Decide(in), "www"); !o.Sends() || c.Status.Fallback != "" {
			t.Errorf("%+v", c.Status)
		}
	})
}

func TestTwoCertificatesOfASetPayOnceAtTheSecondCAToo(t *testing.T) {
	rsa, ec := unknown(backed("b-rsa", 20*day)), unknown(backed("a-ec", 20*day))
	rsa.Wanted.Domains, ec.Wanted.Domains = []string{"www.example"}, []string{"www.example"}
	rsa.InUse.Domains, ec.InUse.Domains = rsa.Wanted.Domains, ec.Wanted.Domains
	rsa.Wanted.KeyType, rsa.InUse.KeyType = inventory.RSA2048, inventory.RSA2048
	in := pair(rsa, ec)
	in.Have[at("ca.example", "www.example")] = comes(12 * day)
	in.Have[at("other.example", "www.example")] = comes(0) // one is left
	p := plan.Decide(in)
	first, c := outcome(t, p, "a-ec")
	second, other := outcome(t, p, "b-rsa")
	if !first.Sends() || !second.Start.Equal(first.Start.Add(10*time.Second)) || c.Status.Fallback == "" || other.Status.Fallback == "" {
		t.Errorf("%+v\n%+v", c.Status, other.Status)
	}
}

func TestWithoutAnEndToBeInTimeForThereIsNoSecondCA(t *testing.T) {
	first := fresh("www")
	first.Wanted.Fallback = &inventory.Fallback{Directory: otherDirectory}
	in := pair(first)
	in.Have[at("ca.example", "www.example")] = comes(12 * day)
	if o, c := outcome(t, plan.Decide(in), "www"); o.Sends() || c.Status.Reason != reason.Budget || c.Status.Fallback != "" {
		t.Errorf("%+v", c.Status)
	}
}

// A window of the first CA's that opens too late is no place in time, whatever it exempts from.
func TestAWindowThatOpensAfterTheLastCallIsNotWaitedFor(t *testing.T) {
	for name, tc := range map[string]struct {
		opens  time.Duration
		second bool
	}{"before it": {10 * day, false}, "after it": {12 * day, true}} {
		t.Run(name, func(t *testing.T) {
			c := backed("www", 20*day)
			c.InUse.CertID, c.InUse.Window = "id", &inventory.Window{Start: now.Add(tc.opens), End: now.Add(tc.opens + day)}
			in := pair(c)
			set := budget.Limit{Burst: 1, Count: 1, Period: 300 * day}
			in.CAs[directory] = plan.CA{Host: "ca.example", Limits: budget.Limits{budget.CertificatesPerExactSet: set}}
			key := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerExactSet, Subject: budget.SetHash(c.Wanted.Domains)}
			in.Have[key] = budget.Learn(set, now, 250*day)
			o, c := outcome(t, plan.Decide(in), "www")
			if o.Sends() != tc.second || (c.Status.Fallback != "") != tc.second || !tc.second && !c.Status.Due.Equal(now.Add(tc.opens)) {
				t.Errorf("sends %t, %+v", o.Sends(), c.Status)
			}
		})
	}
}

// Where the worker is what has no time, the second CA is no help.
func TestAFullWorkerIsNoReasonForTheSecondCA(t *testing.T) {
	in := pair(unknown(backed("a", 10*day)), unknown(backed("b", 10*day)))
	in.Pace = plan.Pace{PerIssuance: 2 * day, AtLeast: 1}
	for _, o := range plan.Decide(in).Outcomes {
		if o.Fallback != "" {
			t.Errorf("%s: %s", o.Certificate.Name, o.Fallback)
		}
	}
}

// Where the second CA is in time nobody is warned, and no forecast asks for an override.
func TestNothingIsForecastThatTheSecondCAMakes(t *testing.T) {
	var cs []inventory.Certificate
	for i := range 12 {
		c := unknown(backed(fmt.Sprintf("c%02d", i), 11*day))
		cs = append(cs, c)
	}
	in := pair(cs...)
	in.Registered = all("crowded.example")
	p := plan.Decide(in) // two at each CA at once, one more in twelve hours; two days until the last call
	for _, o := range p.Outcomes {
		if o.Endangered {
			t.Errorf("%s is endangered: %+v", o.Certificate.Name, p.Record(o).Status)
		}
	}
	if len(p.Forecasts) != 0 {
		t.Errorf("%+v", p.Forecasts)
	}
}

// Whatever the limits and the fleet: each is sent for one CA, and what is sent for a CA, spent in the order of its starts, is allowed by that one's buckets.
func TestNeitherCAsBudgetsAreExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := pair()
		for _, d := range []string{directory, otherDirectory} {
			limits := budget.Limits{}
			for _, n := range []budget.Name{budget.NewOrdersPerAccount, perDomain, budget.CertificatesPerExactSet} {
				limits[n] = budget.Limit{
					Burst: rapid.Int64Range(1, 4).Draw(t, "burst"), Count: rapid.Int64Range(1, 4).Draw(t, "count"),
					Period: time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour,
				}
			}
			in.CAs[d] = plan.CA{Host: in.CAs[d].Host, Limits: limits}
		}
		for i := range rapid.IntRange(1, 30).Draw(t, "certificates") {
			c := unknown(backed(fmt.Sprintf("c%02d", i), time.Duration(rapid.IntRange(-10, 400).Draw(t, "hours left"))*time.Hour))
			c.Wanted.Domains = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a.example", "b.example", "c.example"}), 1, 3, rapid.ID).Draw(t, "domains")
			slices.Sort(c.Wanted.Domains)
			c.InUse.Domains = c.Wanted.Domains
			if rapid.IntRange(0, 3).Draw(t, "failed") == 0 {
				c.Status = inventory.Status{Due: now, Failures: 1, Reason: rapid.SampledFrom(reason.Failing()).Draw(t, "reason"), At: now.Add(-time.Hour)}
				c.Status.NextAttempt = now.Add(time.Duration(rapid.IntRange(-20, 2000).Draw(t, "backoff")) * time.Minute)
				c.Status.Fallback = rapid.SampledFrom([]string{"", "why"}).Draw(t, "at the second")
				c.Status.Issuance = rapid.SampledFrom([]string{"", "k" + c.Name}).Draw(t, "open")
			}
			in.Certificates = append(in.Certificates, c)
		}
		p := plan.Decide(in)
		sent := slices.DeleteFunc(slices.Clone(p.Outcomes), func(o plan.Outcome) bool { return !o.Sends() })
		slices.SortStableFunc(sent, func(a, b plan.Outcome) int { return a.Start.Compare(b.Start) })
		have, known := map[budget.Key]budget.Bucket{}, map[string]bool{}
		for _, o := range sent {
			c := p.Record(o)
			if was := o.Certificate.Status; was.Issuance != "" && was.Fallback == c.Status.Fallback {
				continue // it goes on with what is paid for
			}
			ca := in.CAs[c.Ordered().Directory]
			names := c.Wanted.Domains
			order := budget.Order{CA: ca.Host, Account: "0", Names: names, RegisteredDomains: names}
			if set := ca.Host + budget.SetHash(names); known[set] {
				order.Renewal, order.SetKnown = budget.SameSet, true
			} else {
				known[set] = true
			}
			v := budget.Decide(budget.Needs(ca.Limits, order), have, o.Start, o.Start, o.Start)
			if !v.Allowed {
				t.Fatalf("%s starts at %s, where %s has nothing left", c.Name, o.Start.Sub(now), v.Denied.Key)
			}
			for _, w := range v.Writes {
				have[w.Key] = w.New
			}
		}
		again := in
		again.Certificates = slices.Clone(in.Certificates)
		slices.Reverse(again.Certificates)
		if recorded(p) != recorded(plan.Decide(again)) {
			t.Fatal("the same fleet in another order got another plan")
		}
		again.Certificates = nil
		for _, o := range p.Outcomes {
			if s := p.Record(o).Status; s.Reason == reason.InProgress && s.Issuance == "" { // behind another certificate of its names, for which there is no promise
				return
			}
			again.Certificates = append(again.Certificates, p.Record(o))
		}
		if q := plan.Decide(again); settled(p) != settled(q) {
			t.Fatalf("planned again at once, the plan changed:\n%s\n\n%s", settled(p), settled(q))
		}
	})
}

// Of two that are late in any case, the one for which the second CA has nothing left after the other is the first one's again, in every respect.
func TestALateOneIsNotSentForTheCAThatItWasRefusedAt(t *testing.T) {
	in := pair(unknown(backed("a-one", time.Minute)), unknown(backed("b-two", time.Minute)))
	for i := range in.Certificates {
		in.Certificates[i].Status = inventory.Status{Due: now, Reason: reason.Scheduled, Start: now.Add(-time.Hour), Fallback: "no room"}
	}
	in.Registered = all("crowded.example")
	in.Have[at("ca.example", "crowded.example")], in.Have[at("other.example", "crowded.example")] = comes(5*time.Minute), comes(4*time.Minute)
	p := plan.Decide(in)
	one, a := outcome(t, p, "a-one")
	two, b := outcome(t, p, "b-two")
	if !one.Start.Equal(now.Add(4*time.Minute)) || a.Status.Fallback == "" || !two.Start.Equal(now.Add(5*time.Minute)) || b.Status.Fallback != "" {
		t.Errorf("%s %+v\n%s %+v", one.Start, a.Status, two.Start, b.Status)
	}
}

// What a worker was refused by a budget is the plan's to judge, also where that finds room by now, or no need before later.
func TestAWorkersDeferralBeyondTheLastCallIsJudgedAnew(t *testing.T) {
	deferred := func(renewAt time.Time, fallback string) inventory.Certificate {
		c := unknown(backed("www", 20*day))
		c.InUse.RenewAt = renewAt
		c.Status = inventory.Status{Due: now, Failures: 1, Reason: reason.Budget, At: now, NextAttempt: now.Add(15 * day), Fallback: fallback}
		return c
	}
	for name, tc := range map[string]struct {
		c    inventory.Certificate
		open bool
		want reason.Reason
		due  time.Time
	}{
		"room at the first one":                    {deferred(now.Add(-day), ""), false, reason.Scheduled, now.Add(2 * tick)},
		"room at the first one, after the second":  {deferred(now.Add(-day), "why"), false, reason.Scheduled, now.Add(2 * tick)},
		"not due before tomorrow":                  {deferred(now.Add(day), ""), false, reason.NotDue, now.Add(day)},
		"what is open goes on at its own time":     {deferred(now.Add(-day), ""), true, reason.Budget, now.Add(15 * day)},
		"what is open at the second one does, too": {deferred(now.Add(-day), "why"), true, reason.Budget, now.Add(15 * day)},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.open {
				tc.c.Status.Issuance = "k"
			}
			o, c := outcome(t, plan.Decide(pair(tc.c)), "www")
			s := c.Status
			if s.Reason != tc.want || !s.Due.Equal(tc.due) || o.Sends() && (s.NextAttempt.After(o.Start) || s.Fallback != "") {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A tick reads what it needs of both CAs.
func TestATickReadsBothCAs(t *testing.T) {
	full := budget.BucketAt(now.Add(40 * day).UnixNano())
	names := []string{"www.example"}
	ofSecond := func(c inventory.Certificate) inventory.Certificate {
		u := *c.InUse
		u.Directory, u.Account = otherDirectory, "https://other.example/account/1"
		c.InUse = &u
		return c
	}
	for name, tc := range map[string]struct {
		c      inventory.Certificate
		full   []string // CAs without room for the domain
		known  []string // CAs that know the names
		sends  bool
		second bool
	}{
		"room at both":                               {unknown(backed("www", 20*day)), nil, nil, true, false},
		"room at the second":                         {unknown(backed("www", 20*day)), []string{"ca.example"}, nil, true, true},
		"room at neither":                            {unknown(backed("www", 20*day)), []string{"ca.example", "other.example"}, nil, false, false},
		"names that the second knows":                {unknown(backed("www", 20*day)), []string{"ca.example", "other.example"}, []string{"other.example"}, true, true},
		"of the second, with names that it knows":    {ofSecond(backed("www", 20*day)), []string{"ca.example", "other.example"}, nil, true, true},
		"of the second, with names that both know":   {ofSecond(backed("www", 20*day)), []string{"ca.example", "other.example"}, []string{"ca.example"}, true, false},
		"on its way to the second, where no room is": {sentToSecond(), []string{"ca.example", "other.example"}, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			p, table, out := planner(t, &clock, tc.c)
			for _, ca := range tc.full {
				if err := table.MoveBuckets(t.Context(), []budget.Write{{Key: at(ca, "www.example"), New: full}}); err != nil {
					t.Fatal(err)
				}
			}
			for _, ca := range tc.known {
				if err := table.RememberSet(t.Context(), ca, budget.SetHash(names), now.Add(-50*day)); err != nil {
					t.Fatal(err)
				}
			}
			s := tickOnce(t, p)
			c := stored(t, table, "www")
			if (len(out.sent) == 1) != tc.sends || (c.Status.Fallback != "") != tc.second || (s.Fallback == 1) != tc.second {
				t.Errorf("%d sent, %+v, %+v", len(out.sent), s, c.Status)
			}
		})
	}
}

// sentToSecond is a certificate whose job for the second CA was lost.
func sentToSecond() inventory.Certificate {
	c := unknown(backed("www", 20*day))
	c.Status = inventory.Status{Due: now, Reason: reason.Scheduled, Start: now.Add(-time.Hour), Fallback: "no room"}
	return c
}

// A CA remembers for 120 days what it issued itself: a long life of another CA's certificate is no reason to renew early.
func TestALongLifeOfTheSecondCAsIsNotCutShort(t *testing.T) {
	c := backed("www", 200*day)
	c.Booked = nil
	u := c.InUse
	u.NotBefore, u.NotAfter, u.IssuedAt, u.RenewAt = now.Add(-2*day), now.Add(363*day), now.Add(-2*day), now.Add(240*day)
	for d, want := range map[string]bool{directory: false, otherDirectory: true} {
		u.Directory = d
		in := input(c)
		in.CAs[otherDirectory] = plan.CA{Host: "other.example", Limits: budget.LetsEncrypt()}
		if _, after := outcome(t, plan.Decide(in), "www"); after.InUse.RenewAt.After(now.Add(200*day)) != want {
			t.Errorf("in use of %s: renewed at %s", d, after.InUse.RenewAt)
		}
	}
}
