package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// watched is a certificate in use, ten days old, with its place in the calendar and its watch.
func watched(t testing.TB, clock *time.Time, cs ...inventory.Certificate) (*plan.Planner, *memory.Store, *outside) {
	t.Helper()
	p, table, out := planner(t, clock, cs...)
	for _, c := range cs {
		out.windows[c.InUse.CertID] = c.InUse.Window
	}
	asks := p.RenewalInfo
	p.RenewalInfo = nil
	tickOnce(t, p)
	p.RenewalInfo = asks
	return p, table, out
}

func tenDaysOld(name string) inventory.Certificate {
	c := issued(name, now.Add(-10*day), 90*day)
	c.InUse.Issuer = "CN=R10"
	return c
}

func watchOf(t testing.TB, table *memory.Store, name string) plan.Watch {
	t.Helper()
	ws, err := table.Watches(context.Background(), "0", time.Time{}, now.Add(1000*day), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(ws, func(w plan.Watch) bool { return w.Certificate == name })
	if i < 0 {
		return plan.Watch{}
	}
	return ws[i]
}

func TestWhatWasIssuedIsWatched(t *testing.T) {
	clock := now
	_, table, _ := watched(t, &clock, tenDaysOld("www"))
	w, c := watchOf(t, table, "www"), stored(t, table, "www")
	if w.CertID != "id-www" || !w.Next.After(now) || w.Next.After(now.Add(6*time.Hour)) || !w.NotAfter.Equal(c.InUse.NotAfter) {
		t.Errorf("%+v", w)
	}
	if c.Booked == nil || !c.Status.Due.Equal(c.InUse.RenewAt) {
		t.Errorf("booked %+v, due %s", c.Booked, c.Status.Due)
	}
}

func TestAnAnswer(t *testing.T) {
	old := tenDaysOld("www")
	for name, tc := range map[string]struct {
		answer plan.Answer
		err    error
		next   time.Duration // until the next question
		moved  bool          // whether the certificate is renewed at another time
	}{
		"that changes nothing is asked for again when the CA said":      {plan.Answer{Window: old.InUse.Window, RetryAfter: 5 * time.Hour}, nil, 5 * time.Hour, false},
		"without a time is asked for again after six hours":             {plan.Answer{Window: old.InUse.Window}, nil, 6 * time.Hour, false},
		"with another window moves the renewal":                         {plan.Answer{Window: &inventory.Window{Start: now.Add(30 * day), End: now.Add(31 * day)}, RetryAfter: time.Hour}, nil, time.Hour, true},
		"from before the certificate's time is no window":               {plan.Answer{Window: &inventory.Window{Start: now.Add(-900 * day), End: now.Add(-899 * day)}}, nil, 6 * time.Hour, false},
		"of a CA that has no renewal information changes nothing":       {plan.Answer{RetryAfter: day}, nil, day, false},
		"that failed never reads as renew now, and is soon asked again": {plan.Answer{}, errors.New("cut"), time.Minute, false},
		"that failed is asked for when the CA wants it":                 {plan.Answer{RetryAfter: 6 * time.Hour}, errors.New("404"), 6 * time.Hour, false},
		"of an overloaded CA too":                                       {plan.Answer{RetryAfter: time.Hour, Overloaded: true}, errors.New("503"), time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			p, table, out := watched(t, &clock, old)
			before := stored(t, table, "www")
			clock = now.Add(7 * time.Hour)
			out.noInfo = func(string) (plan.Answer, error) { return tc.answer, tc.err }
			tickOnce(t, p)
			after, w := stored(t, table, "www"), watchOf(t, table, "www")
			if len(out.asked) != 1 || w.Next.Sub(clock) != tc.next {
				t.Errorf("%d questions, the next in %s", len(out.asked), w.Next.Sub(clock))
			}
			if moved := !after.InUse.RenewAt.Equal(before.InUse.RenewAt); moved != tc.moved {
				t.Errorf("renewed at %s, before at %s", after.InUse.RenewAt, before.InUse.RenewAt)
			}
			if len(out.sent) != 0 {
				t.Errorf("sent: %+v", out.sent)
			}
		})
	}
}

func TestACAThatFailsIsAskedLessAndLess(t *testing.T) {
	clock := now
	p, table, out := watched(t, &clock, tenDaysOld("www"))
	out.noInfo = func(string) (plan.Answer, error) { return plan.Answer{}, errors.New("cut") }
	var waits []time.Duration
	for range 12 {
		clock = watchOf(t, table, "www").Next.Add(time.Second)
		tickOnce(t, p)
		waits = append(waits, watchOf(t, table, "www").Next.Sub(clock))
	}
	if waits[0] != time.Minute || waits[3] != 8*time.Minute || waits[11] != 6*time.Hour {
		t.Errorf("waits %v", waits)
	}
}

func TestNobodyIsAskedAfterTheEndOrOnceReplaced(t *testing.T) {
	clock := now
	p, table, _ := watched(t, &clock, tenDaysOld("www"))
	t.Run("after the end", func(t *testing.T) {
		clock = now.Add(80*day - 3*time.Hour)
		tickOnce(t, p)
		if w := watchOf(t, table, "www"); w.Certificate != "" {
			t.Errorf("still asked at %s", w.Next)
		}
	})
	t.Run("once replaced", func(t *testing.T) {
		c := stored(t, table, "www")
		next := issued("www", clock, 90*day)
		next.InUse.CertID, next.InUse.Serial = "id-2", "s-2"
		c.InUse, c.Status = next.InUse, inventory.Status{Due: clock}
		if _, err := table.SaveCertificate(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		tickOnce(t, p)
		if w := watchOf(t, table, "www"); w.CertID != "id-2" {
			t.Errorf("%+v", w)
		}
	})
}

// Retry-After is the least and the most that passes between two questions (RFC 9773, 4.3.2), to the
// tick.
func TestNobodyIsAskedBeforeTheTimeThatTheCANamed(t *testing.T) {
	clock := now
	var cs []inventory.Certificate
	for i := range 40 {
		cs = append(cs, tenDaysOld(fmt.Sprintf("c%02d", i)))
	}
	p, _, out := watched(t, &clock, cs...)
	last := map[string]time.Time{}
	for range 120 {
		clock = clock.Add(tick)
		out.asked = nil
		tickOnce(t, p)
		for _, id := range out.asked {
			if wait := clock.Sub(last[id]); !last[id].IsZero() && (wait < 6*time.Hour || wait > 6*time.Hour+tick) {
				t.Fatalf("%s was asked about again after %s; the CA said 6h", id, wait)
			}
			last[id] = clock
		}
	}
	if len(last) != 40 {
		t.Errorf("%d of 40 were asked about", len(last))
	}
}

// From the moment of its replacement nobody is asked about a certificate (RFC 9773, 4.3), though
// its watch is still listed.
func TestNobodyIsAskedAboutWhatIsNoLongerInUse(t *testing.T) {
	for name, change := range map[string]func(c *inventory.Certificate){
		"it was replaced": func(c *inventory.Certificate) {
			next := issued("www", now.Add(day), 90*day)
			next.InUse.CertID, next.InUse.Serial = "id-2", "s-2"
			c.InUse = next.InUse
		},
		"it was replaced by what has no identifier": func(c *inventory.Certificate) {
			u := *c.InUse
			u.CertID, u.Serial = "", "s-2"
			c.InUse = &u
		},
		"it was disabled": func(c *inventory.Certificate) { c.Wanted.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			p, table, out := watched(t, &clock, tenDaysOld("www"))
			clock = now.Add(day)
			c := stored(t, table, "www")
			change(&c)
			c.Status.Due = now.Add(80 * day) // nothing else has looked at it yet
			if _, err := table.SaveCertificate(context.Background(), c); err != nil {
				t.Fatal(err)
			}
			if tickOnce(t, p); len(out.asked) != 0 {
				t.Errorf("asked about %v", out.asked)
			}
			clock = clock.Add(day)
			if tickOnce(t, p); slices.Contains(out.asked, "id-www") {
				t.Errorf("asked about %v", out.asked)
			}
			if w := watchOf(t, table, "www"); w.CertID == "id-www" {
				t.Errorf("still listed: %+v", w)
			}
		})
	}
}

// What is due to be asked is spread over the ticks, so that of a fleet of 720 about 30 are asked
// about in each, without anybody asking out of turn.
func TestEachTickAsksAboutAPartOfTheFleet(t *testing.T) {
	clock := now
	var cs []inventory.Certificate
	for i := range 720 {
		cs = append(cs, tenDaysOld(fmt.Sprintf("c%03d", i)))
	}
	p, _, out := watched(t, &clock, cs...)
	retry := func(id string) time.Duration { // Let's Encrypt's: six hours, but for a fifth
		return time.Duration((4.8 + 2.4*inventory.Fraction(id, clock.String())) * float64(time.Hour))
	}
	out.noInfo = func(id string) (plan.Answer, error) {
		return plan.Answer{Window: out.windows[id], RetryAfter: retry(id)}, nil
	}
	for n := range 200 {
		clock = clock.Add(tick)
		out.asked = nil
		if tickOnce(t, p); len(out.asked) < 10 || len(out.asked) > 60 {
			t.Errorf("tick %d: %d questions", n, len(out.asked))
		}
	}
}

// A revocation that hits a tenth of a fleet of 720 is seen in the tick after it, at whatever moment
// that is.
func TestARevocationOfATenthIsSeenWithinATick(t *testing.T) {
	clock := now
	var cs []inventory.Certificate
	for i := range 720 {
		cs = append(cs, tenDaysOld(fmt.Sprintf("c%03d", i)))
	}
	p, _, out := watched(t, &clock, cs...)
	for range 30 {
		clock = clock.Add(tick)
		tickOnce(t, p)
	}
	past := &inventory.Window{Start: clock.Add(-time.Hour), End: clock.Add(-30 * time.Minute)}
	hit := 0
	for i := range 720 {
		if name := fmt.Sprintf("c%03d", i); inventory.Fraction("revoked", name) < 0.1 {
			hit++
			out.windows["id-"+name] = past
		}
	}
	clock = clock.Add(tick)
	if s := tickOnce(t, p); s.Moved != hit || s.Asked != 720 {
		t.Errorf("%d hit; %+v", hit, s)
	}
}

// A CA that revokes everything at noon, one of whose windows is seen: within the same tick all are asked about, and the most urgent are under way.
func TestAMassRevocationIsSeenWithinATick(t *testing.T) {
	clock := now
	var cs []inventory.Certificate
	for i := range 300 {
		cs = append(cs, tenDaysOld(fmt.Sprintf("c%03d", i)))
	}
	p, table, out := watched(t, &clock, cs...)
	clock = now.Add(10 * time.Minute)
	past := &inventory.Window{Start: clock.Add(-time.Hour), End: clock.Add(-30 * time.Minute)}
	for id := range out.windows {
		out.windows[id] = past
	}
	s := tickOnce(t, p)
	if s.Moved != 300 || s.Asked != 300 || s.Scheduled < 80 || s.Outcomes[reason.WorkerFull] != 300-s.Scheduled {
		t.Errorf("%+v", s)
	}
	for i := range 300 {
		if c := stored(t, table, fmt.Sprintf("c%03d", i)); !c.InUse.Window.End.Equal(past.End) {
			t.Fatalf("%s has the window %+v", c.Name, c.InUse.Window)
		}
	}
	notes, err := table.Notes(context.Background(), "0")
	if err != nil || len(notes.Raised) != 0 {
		t.Errorf("still raised: %+v (%v)", notes, err)
	}
}

func TestARevokedCertificateOfTodayWaitsForItsGuard(t *testing.T) {
	clock := now
	c := issued("www", now.Add(-3*time.Hour), 90*day)
	p, table, out := watched(t, &clock, c)
	clock = now.Add(7 * time.Hour)
	out.windows["id-www"] = &inventory.Window{Start: now.Add(-time.Hour), End: now.Add(-30 * time.Minute)}
	tickOnce(t, p)
	if after := stored(t, table, "www"); len(out.sent) != 0 || !after.Status.Due.Equal(c.GuardedUntil(now)) {
		t.Errorf("%d sent, due %s, guarded until %s", len(out.sent), after.Status.Due, c.GuardedUntil(now))
	}
}

func TestAnOverloadedCAIsLeftAlone(t *testing.T) {
	clock := now
	var cs []inventory.Certificate
	for i := range 50 {
		cs = append(cs, tenDaysOld(fmt.Sprintf("c%02d", i)))
	}
	p, table, out := watched(t, &clock, cs...)
	clock = now.Add(7 * time.Hour)
	out.noInfo = func(string) (plan.Answer, error) {
		return plan.Answer{RetryAfter: time.Hour, Overloaded: true}, errors.New("503")
	}
	if s := tickOnce(t, p); s.Asked != 1 {
		t.Errorf("%d questions to a CA that answers 503", s.Asked)
	}
	if notes, _ := table.Notes(context.Background(), "0"); !notes.Calm.After(clock) {
		t.Errorf("%+v", notes)
	}
}

// What was found to have moved must not be forgotten because somebody else wrote the certificate at that moment.
func TestAMovedWindowSurvivesAConflict(t *testing.T) {
	clock := now
	p, table, out := watched(t, &clock, tenDaysOld("www"))
	clock = now.Add(7 * time.Hour)
	out.windows["id-www"] = &inventory.Window{Start: now.Add(30 * day), End: now.Add(31 * day)}
	table.Fault = func(op string, _ ...any) memory.Verdict {
		if op == "Book" || op == "SaveCertificates" {
			table.Fault = nil
			c := stored(t, table, "www")
			c.Wanted.ReuseKey = true
			if _, err := table.SaveCertificate(context.Background(), c); err != nil {
				t.Error(err)
			}
		}
		return memory.Pass
	}
	if s := tickOnce(t, p); s.Conflicts != 1 {
		t.Fatalf("%+v", s)
	}
	clock = clock.Add(tick)
	tickOnce(t, p)
	if c := stored(t, table, "www"); !c.InUse.Window.Start.Equal(now.Add(30*day)) || !c.Wanted.ReuseKey {
		t.Errorf("window %+v, reuse %t", c.InUse.Window, c.Wanted.ReuseKey)
	}
}

func TestACertificateThatFellOutOfTheListIsFoundAgain(t *testing.T) {
	clock := now
	c := fresh("lost")
	c.Status.Due = time.Time{}
	p, _, out := planner(t, &clock, c)
	tickOnce(t, p)
	if len(out.sent) != 1 {
		t.Errorf("%d sent", len(out.sent))
	}
}

func TestACertificateThatMayEndIsToldOfOnceADay(t *testing.T) {
	clock := now
	c := issued("www", now.Add(-85*day), 90*day)
	c.Status.Failures, c.Status.Reason, c.Status.Message, c.Status.NextAttempt = 4, reason.ZoneNotFound, "no zone", now.Add(2*time.Hour)
	p, _, out := planner(t, &clock, c)
	for range 5 {
		tickOnce(t, p)
		clock = clock.Add(tick)
	}
	if len(out.events) != 1 || out.events[0].Detail.Reason != reason.ZoneNotFound || out.events[0].Detail.NextAttempt == nil {
		t.Errorf("%+v", out.events)
	}
}
