package renew_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

var year9999 = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// What a CA names as the time of the next attempt is believed for a day, and not beyond the
// beginning of the last part of the life; in that it is half of what is left.
func TestNoTimeThatACANamesOutlivesWhatIsInUse(t *testing.T) {
	const d = 24 * time.Hour
	busy := func(at time.Time) error { return renew.LaterAt(at, reason.CAUnavailable, errors.New("busy")) }
	for name, err := range map[string]func(now time.Time) error{
		"a 429 for a month":            func(time.Time) error { return &renew.Denied{Limit: budget.CertificatesPerExactSet, RetryAfter: 30 * d} },
		"a 429 for a hundred years":    func(time.Time) error { return &renew.Denied{RetryAfter: 100 * 365 * d} },
		"a 429 without a limit's name": func(time.Time) error { return &renew.Denied{RetryAfter: 40 * d} },
		"a pause":                      func(time.Time) error { return &renew.Denied{Paused: true, Detail: pausedA} },
		"a 503 until the year 9999":    func(time.Time) error { return busy(year9999) },
		"a 503 for two months":         func(now time.Time) error { return busy(now.Add(60 * d)) },
		"what a person must mend":      func(time.Time) error { return renew.Fail(renew.Never, reason.CARefused, errors.New("no")) },
	} {
		for days, want := range map[int]time.Duration{62: d, 80: d, 85: d, 89: 12 * time.Hour, 95: d} {
			t.Run(fmt.Sprintf("%s on day %d", name, days), func(t *testing.T) {
				w := issued(t, "a.example")
				w.pass(time.Duration(days-2) * d)
				u := w.certificate(t, "www").InUse
				w.broken["NewOrder"] = err(w.now)
				w.deliver("one", scheduled("www"))
				s := w.certificate(t, "www").Status
				want := want
				if last := u.LastPart(); last.After(w.now) {
					want = min(want, last.Sub(w.now))
				}
				if wait := s.NextAttempt.Sub(w.now); s.Failures != 1 || wait > want+2*time.Second || wait < time.Minute || s.Due.After(s.NextAttempt) {
					t.Errorf("next attempt in %s, want %s at most; due in %s: %+v", wait, want, s.Due.Sub(w.now), s)
				}
			})
		}
	}
}

// What was named by a CA, and written down by who believed it, holds nothing up.
func TestWhatWasOnceBelievedIsTriedAllTheSame(t *testing.T) {
	w := issued(t, "a.example")
	w.pass(62 * 24 * time.Hour)
	c := w.certificate(t, "www")
	c.Status = inventory.Status{Failures: 1, Reason: reason.RateLimited, At: w.now.Add(-26 * time.Hour), NextAttempt: year9999, Due: w.now}
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
		t.Errorf("%+v, %+v", r, w.certificate(t, "www").Status)
	}
}

// A secret may say that it was issued in the future: that guards nothing, and passes for newer than
// nothing.
func TestAnIssuanceInTheFutureGuardsNothing(t *testing.T) {
	for name, job := range map[string]func(now time.Time) renew.Job{
		"what is due is renewed":         func(time.Time) renew.Job { return scheduled("www") },
		"what a person asks for is, too": func(now time.Time) renew.Job { return manual("www", now, false) },
	} {
		t.Run(name, func(t *testing.T) {
			w := issued(t, "a.example")
			w.pass(62 * 24 * time.Hour)
			c := w.certificate(t, "www")
			u := *c.InUse
			u.IssuedAt = w.now.Add(365 * 24 * time.Hour)
			c.InUse = &u
			if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
				t.Fatal(err)
			}
			if r := w.deliver("one", job(w.now))[0]; !r.Issued {
				t.Errorf("%+v, %+v", r, w.certificate(t, "www").Status)
			}
		})
	}
}

// An order that a CA says lives for ever keeps another certificate of its names waiting for a week
// at most.
func TestAnOrderIsNotBelievedToLiveForEver(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.ca.order = func(o *renew.Order) { o.Expires = year9999 }
	w.broken["Download"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("busy"))
	w.deliver("one", scheduled("www"))
	w.want(t, "other", "a.example")
	r := w.deliver("two", scheduled("other"))[0]
	if s := w.certificate(t, "other").Status; s.NextAttempt.After(w.now.Add(24 * time.Hour)) {
		t.Errorf("%+v, %+v", r, s)
	}
	w.pass(7*24*time.Hour + time.Hour)
	delete(w.broken, "Download")
	if r := w.deliver("three", scheduled("other"))[0]; !r.Issued {
		t.Errorf("after a week: %+v, %+v", r, w.certificate(t, "other").Status)
	}
}

// What is tried again after failures, of a certificate of a day, is tried more than once in its
// life.
func TestTheBackoffOfADaysCertificateIsShort(t *testing.T) {
	w := issued(t, "a.example")
	c := w.certificate(t, "www")
	u := *c.InUse
	u.NotBefore, u.IssuedAt, u.NotAfter, u.RenewAt = w.now.Add(-12*time.Hour), w.now.Add(-12*time.Hour), w.now.Add(12*time.Hour), w.now
	c.InUse = &u
	c.Status.Failures, c.Status.Reason, c.Status.At = 5, reason.ZoneNotFound, w.now.Add(-time.Hour)
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.broken["NewOrder"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("busy"))
	w.deliver("one", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.NextAttempt.Sub(w.now) > 145*time.Minute || s.Failures != 6 {
		t.Errorf("next attempt in %s: %+v", s.NextAttempt.Sub(w.now), s)
	}
}
