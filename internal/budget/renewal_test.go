package budget

import (
	"testing"
	"time"
)

func TestRenewed(t *testing.T) {
	start, end := epoch.Add(-time.Hour), epoch.Add(time.Hour)
	ari := Past{Replaces: true, SameAccount: true, WindowStart: start, WindowEnd: end, SetIssued: epoch.Add(-60 * day)}
	with := func(change func(*Past)) Past {
		p := ari
		change(&p)
		return p
	}
	for _, tc := range []struct {
		why   string
		past  Past
		now   time.Time
		want  Renewal
		known bool
	}{
		{"inside the window, by the account that has it", ari, epoch, ARI, true},
		{"the window's start belongs to it", ari, start, ARI, true},
		{"a nanosecond before it doesn't", ari, start.Add(-1), SameSet, true},
		{"the window's end doesn't belong to it", ari, end, SameSet, true},
		{"nor does a request that may arrive at its end", ari, end.Add(-30 * time.Second), SameSet, true},
		{"a request that arrives just before its end is inside", ari, end.Add(-30*time.Second - 1), ARI, true},
		{"without a predecessor it is a renewal of the same set", with(func(p *Past) { p.Replaces = false }), epoch, SameSet, true},
		{"another account has the set's memory, not the window", with(func(p *Past) { p.SameAccount = false }), epoch, SameSet, true},
		{"a changed set inside the window is exempt, its set unknown", with(func(p *Past) { p.SetIssued = time.Time{} }), epoch, ARI, false},
		{"a changed set outside the window pays", with(func(p *Past) { p.SetIssued = time.Time{} }), end, None, false},
		{"a revoked certificate's window has passed", with(func(p *Past) { p.WindowEnd = epoch.Add(-30 * time.Minute) }), epoch, SameSet, true},
		{"a window that ends before it starts is none", with(func(p *Past) { p.WindowStart, p.WindowEnd = end, start }), epoch, SameSet, true},
		{"no window at all", with(func(p *Past) { p.WindowStart, p.WindowEnd = time.Time{}, time.Time{} }), epoch, SameSet, true},
		{"nothing is known: a first order", Past{}, epoch, None, false},
		{"issued just within the CA's memory", Past{SetIssued: epoch.Add(14*time.Minute - 120*day + 1)}, epoch, SameSet, true},
		{"forgotten before it can be issued", Past{SetIssued: epoch.Add(14*time.Minute - 120*day)}, epoch, None, false},
		{"issued four months ago", Past{SetIssued: epoch.Add(-121 * day)}, epoch, None, false},
	} {
		t.Run(tc.why, func(t *testing.T) {
			got, known := Renewed(tc.past, tc.now, tc.now.Add(30*time.Second), tc.now.Add(14*time.Minute))
			if got != tc.want || known != tc.known {
				t.Errorf("%s, set known %v; want %s, %v", got, known, tc.want, tc.known)
			}
		})
	}
}
