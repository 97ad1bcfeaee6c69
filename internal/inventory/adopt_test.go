package inventory

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/reason"
)

func TestAnAdoptedCertificateIsPlacedAndNotOrdered(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 30, 0, 5, time.UTC)
	u := InUse{Serial: "2a", NotBefore: now.Add(-10 * 24 * time.Hour), NotAfter: now.Add(80 * 24 * time.Hour), IssuedAt: now.Add(-10 * 24 * time.Hour)}
	for name, enabled := range map[string]bool{"enabled, it is looked at now": true, "disabled, it is never looked at": false} {
		t.Run(name, func(t *testing.T) {
			asked := &Asked{Reason: "manual", At: now}
			c := Certificate{Name: "www", Rev: 3, Wanted: Wanted{Enabled: enabled}, Status: Status{
				Failures: 3, Reason: reason.ZoneNotFound, NextAttempt: now.Add(time.Hour), Job: "j", Asked: asked,
			}}
			got := Adopt(c, u, now)
			want := Status{Reason: reason.NotDue, Message: "adopted", At: now.Truncate(time.Second), Asked: asked}
			if enabled {
				want.Due = want.At
			}
			if diff := cmp.Diff(want, got.Status); diff != "" {
				t.Error(diff)
			}
			if got.InUse.RenewAt != u.ChooseRenewAt("www") || enabled && got.Need(now).At.Before(now.Add(40*24*time.Hour)) {
				t.Errorf("renewal at %s", got.InUse.RenewAt)
			}
			if c.InUse != nil || got.Rev != 3 {
				t.Error("more than the entry's copy was changed")
			}
		})
	}
}

func TestNewerGoesByTheCertificatesOwnDates(t *testing.T) {
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	have := InUse{Serial: "1", NotBefore: at, IssuedAt: at}
	for name, test := range map[string]struct {
		u    InUse
		than *InUse
		want bool
	}{
		"than nothing":                     {have, nil, true},
		"than itself":                      {have, &have, false},
		"what was issued later":            {InUse{Serial: "2", NotBefore: at.Add(1)}, &have, true},
		"what was issued before":           {InUse{Serial: "2", NotBefore: at.Add(-1), IssuedAt: at.Add(time.Hour)}, &have, false},
		"what was issued at the same time": {InUse{Serial: "2", NotBefore: at}, &have, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.u.Newer(test.than); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
