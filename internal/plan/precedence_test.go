package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// endsIn is a certificate in use whose renewal is long due.
func endsIn(name string, left time.Duration) inventory.Certificate {
	c := inUse(name, now.Add(left-30*day))
	c.InUse.RenewAt = now.Add(-time.Hour)
	return c
}

func TestNothingInUseEndsBecauseOfWhatIsNotInUseYet(t *testing.T) {
	in := input()
	for i := range 4000 { // eleven hours of the worker's time
		in.Certificates = append(in.Certificates, fresh(fmt.Sprintf("new-%04d", i)))
	}
	for i := range 1000 {
		in.Certificates = append(in.Certificates, endsIn(fmt.Sprintf("soon-%04d", i), 4*time.Hour))
	}
	in.Certificates = append(in.Certificates, endsIn("month", 28*day))
	in.CAs[directory] = plan.CA{Host: "ca.example"}
	p := plan.Decide(in)
	for i := range 1000 {
		if at := turnOf(t, p, fmt.Sprintf("soon-%04d", i)); at.After(now.Add(4*time.Hour - in.Pace.PerIssuance)) {
			t.Fatalf("the turn of what ends in four hours is in %s", at.Sub(now))
		}
	}
	if at := turnOf(t, p, "month"); at.Before(now.Add(11 * time.Hour)) {
		t.Errorf("what has a month left comes in %s, before what has nothing at all", at.Sub(now))
	}
}

func TestWhatWouldEndBeforeItsTurnInALongLineComesFirst(t *testing.T) {
	in := scarce()
	in.Registered = all("crowded.example")
	for i := range 100 {
		in.Certificates = append(in.Certificates, fresh(fmt.Sprintf("new-%03d", i), fmt.Sprintf("h%d.crowded.example", i)))
	}
	changed := endsIn("changed", 20*day)
	changed.Wanted.Domains = []string{"other.crowded.example"}
	in.Certificates = append(in.Certificates, changed)
	if at := turnOf(t, plan.Decide(in), "changed"); at.After(now.Add(5 * day)) {
		t.Errorf("comes in %s of 20 days, behind all others", at.Sub(now))
	}
	in.Certificates[100].InUse.NotAfter = now.Add(36 * time.Hour)
	if at := turnOf(t, plan.Decide(in), "changed"); !at.Before(now.Add(36 * time.Hour)) {
		t.Errorf("comes in %s, after its end", at.Sub(now))
	}
}

func TestWhatCannotBeSavedDoesNotDragDownWhatCan(t *testing.T) {
	in := input()
	for i := range 500 { // lapsed already
		in.Certificates = append(in.Certificates, endsIn(fmt.Sprintf("gone-%03d", i), -time.Hour))
	}
	for i := range 360 { // an hour's work
		in.Certificates = append(in.Certificates, endsIn(fmt.Sprintf("soon-%03d", i), time.Hour))
	}
	for i := range 100 { // more than fits
		in.Certificates = append(in.Certificates, endsIn(fmt.Sprintf("x-%03d", i), 59*time.Minute))
	}
	in.CAs[directory] = plan.CA{Host: "ca.example"}
	p, saved := plan.Decide(in), 0
	for _, c := range in.Certificates {
		if end := turnOf(t, p, c.Name).Add(in.Pace.PerIssuance); !end.After(c.InUse.NotAfter) {
			saved++
		}
	}
	if saved < 359 {
		t.Errorf("%d are saved, 360 can be", saved)
	}
}

func TestWhatTheCARecallsComesBeforeWhatIsOnlyDue(t *testing.T) {
	due, recalled := endsIn("a-due", 25*day), issued("b-recalled", now.Add(-20*day), 90*day)
	recalled.InUse.Window = &inventory.Window{Start: now.Add(-time.Hour), End: now.Add(-30 * time.Minute)}
	recalled.InUse.RenewAt = now.Add(-40 * time.Minute)
	p := plan.Decide(input(due, recalled))
	if at := turnOf(t, p, "b-recalled"); !at.Equal(now) {
		t.Errorf("in %s", at.Sub(now))
	}
}

func turnOf(t testing.TB, p plan.Plan, name string) time.Time {
	t.Helper()
	o, _ := outcome(t, p, name)
	return turn(o)
}
