package inventory_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// What is in use lives 90 days from epoch on; the last part of it begins after 81.
func TestEndangered(t *testing.T) {
	const last, end = 81 * day, 90 * day
	for name, tc := range map[string]struct {
		now    time.Duration
		change func(*inventory.Status, time.Time)
		before bool // whether it is in danger a second before the last part begins
		after  bool // and in it
	}{
		"what waits for its known turn is not":      {change: func(s *inventory.Status, now time.Time) { s.Reason, s.Due = reason.WorkerFull, now.Add(time.Hour) }},
		"nor what waits for a budget that has room": {change: func(s *inventory.Status, now time.Time) { s.Reason, s.Due = reason.Budget, now.Add(day) }},
		"but where that comes after the end":        {change: func(s *inventory.Status, _ time.Time) { s.Reason, s.Due = reason.Budget, epoch.Add(end+day) }, before: true, after: true},
		"or too late for an issuance":               {change: func(s *inventory.Status, _ time.Time) { s.Reason, s.Due = reason.Budget, epoch.Add(end-time.Minute) }, before: true, after: true},
		"when it is looked at again is no turn": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Due, s.Turn = reason.Budget, now.Add(day), epoch.Add(end+day)
		}, before: true, after: true},
		"a budget that can't be understood": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Due, s.NoTurn = reason.Budget, now.Add(time.Minute), true
		}, after: true},
		"a job that starts is a turn": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Start, s.Due = reason.Scheduled, now, now.Add(time.Hour)
		}},
		"not once it was sent again": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Start, s.Due, s.Repeats = reason.Scheduled, now, now.Add(time.Hour), 1
		}, after: true},
		"an invocation that holds it is one": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Issuance, s.Due = reason.InProgress, "k", now.Add(time.Minute)
		}},
		"not one after another that brought nothing": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Issuance, s.Due, s.Repeats = reason.InProgress, "k", now.Add(time.Minute), 1
		}, after: true},
		"what fails has none": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Failures, s.Due = reason.Scheduled, 1, now.Add(time.Minute)
		}, after: true},
		"what backs off has none": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Failures, s.Due = reason.ZoneNotFound, 4, now.Add(day)
		}, after: true},
		"nor what a person must let go":             {change: func(s *inventory.Status, now time.Time) { s.Reason, s.Due = reason.AccountPaused, now.Add(day) }, after: true},
		"nor what can't be issued":                  {change: func(s *inventory.Status, now time.Time) { s.Reason, s.Due = reason.Invalid, now.Add(day) }, after: true},
		"nor what runs out of time again and again": {change: func(s *inventory.Status, now time.Time) { s.Reason, s.Due = reason.Deadline, now.Add(time.Minute) }, after: true},
		"nor what nobody looks at":                  {change: func(s *inventory.Status, _ time.Time) { s.Reason, s.Due = reason.NotDue, time.Time{} }, after: true},
		"nor what nobody has looked at for two ticks": {change: func(s *inventory.Status, now time.Time) {
			s.Reason, s.Due = reason.WorkerFull, now.Add(-31*time.Minute)
		}, after: true},
		"nor what has no reason at all": {change: func(s *inventory.Status, now time.Time) { s.Due = now }, after: true},
	} {
		t.Run(name, func(t *testing.T) {
			for at, want := range map[time.Duration]bool{last - time.Second: tc.before, last: tc.after, end - time.Hour: tc.after} {
				c := held("a.example")
				now := epoch.Add(at)
				tc.change(&c.Status, now)
				if at == end-time.Hour && !tc.after { // a turn that is in time of so little
					c.Status.Due = now.Add(time.Minute)
				}
				if got := c.Endangered(now); got != want {
					t.Errorf("after %s: %t", at, got)
				}
				c.Wanted.Enabled = false
				if c.Endangered(now) || !c.SwitchedOff(now) {
					t.Errorf("after %s, disabled: in danger %t, switched off %t", at, c.Endangered(now), c.SwitchedOff(now))
				}
			}
		})
	}
	t.Run("what has ended is, whatever is about to happen", func(t *testing.T) {
		c := held("a.example")
		now := epoch.Add(end + time.Second)
		c.Status = inventory.Status{Reason: reason.Scheduled, Start: now, Due: now.Add(time.Hour)}
		if !c.Endangered(now) {
			t.Error("it isn't")
		}
		c.Wanted.Enabled = false
		if c.SwitchedOff(now) {
			t.Error("what is disabled and has ended is still listed")
		}
	})
	t.Run("what was never in use has no end", func(t *testing.T) {
		c := held("a.example")
		c.InUse = nil
		if c.Endangered(epoch.Add(end)) || c.SwitchedOff(epoch) {
			t.Error("it has")
		}
	})
}

func TestUntaken(t *testing.T) {
	now := epoch.Add(70 * day)
	for name, tc := range map[string]struct {
		change func(*inventory.Status)
		want   bool
	}{
		"a job whose certificate is due again was not taken": {func(*inventory.Status) {}, true},
		"one that has time may still be":                     {func(s *inventory.Status) { s.Due = now.Add(time.Second) }, false},
		"one that opened an issuance was":                    {func(s *inventory.Status) { s.Issuance = "k" }, false},
		"one that failed was":                                {func(s *inventory.Status) { s.Reason = reason.ZoneNotFound }, false},
		"what was never sent can't be":                       {func(s *inventory.Status) { s.Job = "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := held("a.example")
			c.Status = inventory.Status{Reason: reason.Scheduled, Job: "j", Start: now.Add(-30 * time.Minute), Due: now}
			tc.change(&c.Status)
			if got := c.Untaken(now); got != tc.want {
				t.Errorf("%t", got)
			}
		})
	}
}
