package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/store/entry"
)

// unread is a table of which some of what is asked for can't be understood.
type unread struct {
	plan.Table
	limits, watches, pace, due, notes bool
}

var corrupt = entry.Unreadable("0#thing", errors.New("field by: not known"))

func (u *unread) Limits(ctx context.Context, directory string) (budget.Limits, error) {
	if u.limits && strings.Contains(directory, "other") {
		return nil, corrupt
	}
	return u.Table.Limits(ctx, directory)
}

func (u *unread) Watches(ctx context.Context, shard string, from, to time.Time, limit int) ([]plan.Watch, error) {
	if u.watches {
		return nil, corrupt
	}
	return u.Table.Watches(ctx, shard, from, to, limit)
}

func (u *unread) WorkerPace(ctx context.Context, shard string) (time.Duration, error) {
	if u.pace {
		return 0, corrupt
	}
	return u.Table.WorkerPace(ctx, shard)
}

func (u *unread) DueCertificates(ctx context.Context, shard string, by time.Time, limit int) ([]inventory.Certificate, error) {
	if u.due {
		return nil, corrupt
	}
	return u.Table.DueCertificates(ctx, shard, by, limit)
}

func (u *unread) Notes(ctx context.Context, shard string) (plan.Notes, error) {
	if u.notes {
		return plan.Notes{}, corrupt
	}
	return u.Table.Notes(ctx, shard)
}

func TestAnEntryThatMakesNoSenseIsItsOwnTroubleAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(c *inventory.Certificate)
		says   string
	}{
		"a directory that is no URL":   {func(c *inventory.Certificate) { c.Wanted.Directory = "letsencrypt" }, `"letsencrypt" is not a URL`},
		"no directory":                 {func(c *inventory.Certificate) { c.Wanted.Directory = "" }, `"" is not a URL`},
		"no names":                     {func(c *inventory.Certificate) { c.Wanted.Domains = nil }, "domains: there is none"},
		"a key type that nobody knows": {func(c *inventory.Certificate) { c.Wanted.KeyType = "dsa" }, `key_type: "dsa"`},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			bad := fresh("bad")
			tc.change(&bad)
			p, table, out := planner(t, &clock, bad, fresh("good"))
			s := tickOnce(t, p)
			c := stored(t, table, "bad")
			if len(out.sent) != 1 || out.sent[0].Job.Certificate != "good" || s.Outcomes[reason.Invalid] != 1 {
				t.Errorf("%+v, sent %+v", s, out.sent)
			}
			if c.Status.Reason != reason.Invalid || !strings.Contains(c.Status.Message, tc.says) || !c.Status.Due.Equal(now.Add(time.Hour)) {
				t.Errorf("%+v", c.Status)
			}
			if _, err := p.Gather(context.Background(), tick); err != nil {
				t.Errorf("a dry run: %v", err)
			}
		})
	}
}

func TestASecondCAThatMakesNoSenseKeepsNobodyFromTheFirst(t *testing.T) {
	clock := now
	bad := fresh("bad")
	bad.Wanted.Fallback = &inventory.Fallback{Directory: "letsencrypt"}
	p, _, out := planner(t, &clock, bad)
	tickOnce(t, p)
	if len(out.sent) != 1 {
		t.Errorf("sent %+v", out.sent)
	}
}

func TestATickGoesOnBesideWhatItCannotUnderstand(t *testing.T) {
	for name, u := range map[string]*unread{
		"the limits of another CA": {limits: true}, "windows": {watches: true}, "the worker's pace": {pace: true}, "the notes": {notes: true},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			other := fresh("other")
			other.Wanted.Directory = "https://other.example/dir"
			p, table, out := planner(t, &clock, fresh("good"), other)
			u.Table = table
			p.Table = u
			tickOnce(t, p)
			sent := map[string]bool{}
			for _, m := range out.sent {
				sent[m.Job.Certificate] = true
			}
			if !sent["good"] || sent["other"] == u.limits {
				t.Errorf("sent %v", sent)
			}
			if s := stored(t, table, "other").Status; u.limits && (s.Reason != reason.Invalid || !strings.Contains(s.Message, "limits of other.example")) {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("all that is due", func(t *testing.T) {
		clock := now
		p, table, out := planner(t, &clock, fresh("good"))
		p.Table = &unread{Table: table, due: true}
		if s := tickOnce(t, p); len(out.sent) != 0 || s.Considered != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("but not where the table doesn't answer", func(t *testing.T) {
		clock := now
		p, table, _ := planner(t, &clock, fresh("good"))
		table.Fault = nil
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := p.Tick(ctx, tick); err == nil {
			t.Error("a tick without a table went through")
		}
	})
}
