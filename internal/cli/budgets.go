package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/budget"
)

type budgetsCmd struct {
	List   listBudgetsCmd   `cmd:"" default:"withargs" help:"Show every budget that isn't full."`
	Set    setBudgetCmd     `cmd:"" help:"Replace a limit of a CA, because it grants you more, or somebody else spends from it too."`
	Resume resumeBudgetsCmd `cmd:"" help:"Order again for names that the CA paused the account for, once you have unpaused them there."`
}

type listBudgetsCmd struct {
	Fits int64 `default:"1" placeholder:"N" help:"Also say when N more orders would fit."`
}

// budgetStatus is one budget's entry in the JSON that budgets prints; it is stable.
type budgetStatus struct {
	CA        string      `json:"ca"`
	Limit     budget.Name `json:"limit"`
	Key       string      `json:"key"`
	Left      int64       `json:"left"`
	Burst     int64       `json:"burst"`
	Count     int64       `json:"count"`            // how many come back in a Period
	Period    string      `json:"period"`           // as Go writes durations
	For       string      `json:"for,omitempty"`    // where the limit in force is an override of one key or account: whose
	Paused    bool        `json:"paused,omitempty"` // the CA paused the account for this name; no waiting helps
	NextToken *time.Time  `json:"next_token"`       // null where there is one now, and where Paused
	FitsAt    *time.Time  `json:"fits_at"`          // when Fits orders would; null for never
	FullAt    *time.Time  `json:"full_at"`

	period time.Duration
}

// Run lists the budgets that aren't full. A budget that isn't listed is.
func (b *listBudgetsCmd) Run(r *run) error {
	if b.Fits < 1 {
		return usage{fmt.Errorf("--fits: %d is no number of orders; give 1 or more", b.Fits)}
	}
	op, err := r.open("TABLE")
	if err != nil {
		return err
	}
	var all []budgetStatus
	var broken []error
	limits := map[string]budget.Limits{}
	for have, err := range op.Store.EachBucket(r, r.now()) {
		if err != nil {
			broken = append(broken, err)
			continue
		}
		l, known := limits[have.Key.CA]
		if !known {
			if l, err = op.Store.Limits(r, "https://"+have.Key.CA+"/"); err != nil {
				return fmt.Errorf("reading the limits of %s: %w", have.Key.CA, err)
			}
			limits[have.Key.CA] = l
		}
		if _, limited := l.Of(have.Key); limited || have.Bucket.IsPaused() {
			all = append(all, budgetStatusOf(have.Key, l, have.Bucket, r.now(), b.Fits))
		}
	}
	slices.SortFunc(all, func(x, y budgetStatus) int {
		return cmp.Or(cmp.Compare(x.CA, y.CA), cmp.Compare(x.Limit, y.Limit), cmp.Compare(x.Key, y.Key))
	})
	if err := b.show(r, all); err != nil {
		return err
	}
	return errors.Join(broken...)
}

func budgetStatusOf(k budget.Key, all budget.Limits, b budget.Bucket, now time.Time, n int64) budgetStatus {
	name, _ := all.InForce(k)
	l, _ := all.Of(k)
	_, subject, _ := name.Split()
	s := budgetStatus{CA: k.CA, Limit: k.Limit, Key: k.Subject, Burst: l.Burst, Count: l.Count, Period: l.Period.String(), For: subject, period: l.Period}
	if b.IsPaused() {
		s.Paused = true
		return s
	}
	d := budget.Check(l, b, now)
	s.Left, s.NextToken, s.FitsAt, s.FullAt = d.Remaining, optional(d.RetryAt), optional(budget.FitsAt(l, b, now, n)), optional(b.TAT)
	return s
}

func (b *listBudgetsCmd) show(r *run, all []budgetStatus) error {
	if all == nil {
		all = []budgetStatus{}
	}
	rows := make([]table.Row, 0, len(all))
	for _, s := range all {
		rows = append(rows, budgetRow(s, r.now()))
	}
	if err := r.print(all, table.Row{"ca", "limit", "key", "in force", "left", "next token", fmt.Sprintf("%d fit", b.Fits), "full"}, rows); err != nil {
		return err
	}
	paused := slices.ContainsFunc(all, func(s budgetStatus) bool { return s.Paused })
	switch {
	case len(all) == 0:
		r.say("every budget is full")
	case paused:
		r.say("paused: unpause the name at the CA (`certpace status NAME` has its link), then `certpace budgets resume`")
	}
	return nil
}

func budgetRow(s budgetStatus, now time.Time) table.Row {
	force := "-"
	if s.Count > 0 {
		force = fmt.Sprintf("%d in %s", s.Count, short(s.period))
	}
	if s.For != "" {
		force += ", its own"
	}
	if s.Paused {
		return table.Row{s.CA, s.Limit, subject(s), force, "paused", "-", "-", "-"}
	}
	return table.Row{
		s.CA, s.Limit, subject(s), force, fmt.Sprintf("%d of %d", s.Left, s.Burst), in(s.NextToken, now, "now"), in(s.FitsAt, now, "-"), in(s.FullAt, now, "-"),
	}
}

// subject is what a budget counts, for a table: of a set of names the beginning of its hash, which JSON has whole.
func subject(s budgetStatus) string {
	switch s.Limit {
	case budget.CertificatesPerExactSet:
		return fmt.Sprintf("%.12s…", s.Key)
	case budget.NewOrdersPerAccount:
		return "shard " + s.Key
	}
	return s.Key
}

func in(t *time.Time, now time.Time, none string) string {
	switch {
	case t == nil:
		return none
	case !t.After(now):
		return "now"
	}
	return "in " + span(t.Sub(now))
}
