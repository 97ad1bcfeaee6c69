package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/app/operator"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store"
)

type budgetsCmd struct {
	List   listBudgetsCmd   `cmd:"" default:"withargs" help:"Show every budget that isn't full."`
	Set    setBudgetCmd     `cmd:"" help:"Replace a limit of a CA, because it grants you more, or somebody else spends from it too."`
	Resume resumeBudgetsCmd `cmd:"" help:"Order again for names that the CA paused the account for, once you have unpaused them there."`
}

type listBudgetsCmd struct {
	Fits int64 `default:"1" placeholder:"N" help:"Also say when N more orders would fit: of people's, and of the planner's."`
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
	NextToken *time.Time  `json:"next_token"`       // for people: null where there is one now, and where Paused
	FitsAt    *time.Time  `json:"fits_at"`          // when Fits orders would, by people; null for never
	FullAt    *time.Time  `json:"full_at"`

	KeptForPeople   int64      `json:"kept_for_people"`   // the planner leaves so many alone, but where something would end otherwise
	KeptForRenewals int64      `json:"kept_for_renewals"` // of Left, first certificates leave so many alone, about
	PlannedAt       *time.Time `json:"planned_at"`        // when Fits orders of the planner's would fit, which takes nothing of what is for people

	period time.Duration
}

// lister works out what budgets says of a bucket.
type lister struct {
	now     time.Time
	fits    int64
	share   float64      // of the shared budgets that the planner may use
	awaited plan.Awaited // what renewals will need
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
	notes, err := op.Store.Notes(r, app.Shard)
	if err != nil {
		return fmt.Errorf("reading the planner's notes: %w", err)
	}
	l := lister{now: r.now(), fits: b.Fits, share: op.Planner.Share, awaited: notes.Awaited}
	all, broken, err := l.list(r, op.Store)
	if err != nil {
		return err
	}
	if err := b.show(r, all); err != nil {
		return err
	}
	if err := sayOthers(r, op); err != nil {
		return err
	}
	return errors.Join(broken...)
}

// list reads every bucket that isn't full, in the order of CA, limit and key, and the errors of
// those that can't be understood.
func (l lister) list(ctx context.Context, table *store.Store) (all []budgetStatus, broken []error, err error) {
	limits := map[string]budget.Limits{}
	for have, err := range table.EachBucket(ctx, l.now) {
		if err != nil {
			broken = append(broken, err)
			continue
		}
		of, known := limits[have.Key.CA]
		if !known {
			if of, err = table.Limits(ctx, "https://"+have.Key.CA+"/"); err != nil {
				return nil, nil, fmt.Errorf("reading the limits of %s: %w", have.Key.CA, err)
			}
			limits[have.Key.CA] = of
		}
		if _, limited := of.Of(have.Key); limited || have.Bucket.IsPaused() {
			all = append(all, l.status(have.Key, of, have.Bucket))
		}
	}
	slices.SortFunc(all, func(x, y budgetStatus) int {
		return cmp.Or(cmp.Compare(x.CA, y.CA), cmp.Compare(x.Limit, y.Limit), cmp.Compare(x.Key, y.Key))
	})
	return all, broken, nil
}

func (w lister) status(k budget.Key, all budget.Limits, b budget.Bucket) budgetStatus {
	name, _ := all.InForce(k)
	l, _ := all.Of(k)
	_, subject, _ := name.Split()
	s := budgetStatus{CA: k.CA, Limit: k.Limit, Key: k.Subject, Burst: l.Burst, Count: l.Count, Period: l.Period.String(), For: subject, period: l.Period}
	if b.IsPaused() {
		s.Paused = true
		return s
	}
	d := budget.Check(l, b, w.now)
	s.Left, s.NextToken, s.FitsAt, s.FullAt = d.Remaining, optional(d.RetryAt), optional(budget.FitsAt(l, b, w.now, w.fits)), optional(b.TAT)
	s.KeptForPeople = budget.KeepShare([]budget.Need{{Key: k, Limit: l, Mode: budget.Take}}, w.share)[0].Keep
	s.KeptForRenewals = min(s.Left, w.awaited.Kept(k, l, w.now))
	s.PlannedAt = optional(budget.FitsAt(l.Keeping(s.KeptForPeople), b, w.now, w.fits))
	return s
}

// kept says what of a budget is kept back, and for whom.
func (s budgetStatus) kept() string {
	var all []string
	if s.KeptForPeople > 0 {
		all = append(all, fmt.Sprintf("%d for people", s.KeptForPeople))
	}
	if s.KeptForRenewals > 0 {
		all = append(all, fmt.Sprintf("%d for renewals", s.KeptForRenewals))
	}
	return cmp.Or(strings.Join(all, ", "), "-")
}

func (b *listBudgetsCmd) show(r *run, all []budgetStatus) error {
	if all == nil {
		all = []budgetStatus{}
	}
	rows := make([]table.Row, 0, len(all))
	for _, s := range all {
		rows = append(rows, budgetRow(s, r.now()))
	}
	if err := r.print(all, table.Row{"ca", "limit", "key", "in force", "left", "kept back", "next token", fmt.Sprintf("%d fit", b.Fits), fmt.Sprintf("%d planned fit", b.Fits), "full"}, rows); err != nil {
		return err
	}
	kept := slices.ContainsFunc(all, func(s budgetStatus) bool { return s.KeptForPeople > 0 })
	paused := slices.ContainsFunc(all, func(s budgetStatus) bool { return s.Paused })
	if kept {
		r.say("what is kept for people the planner takes only for what would end otherwise, and `certpace reissue` takes it; what is kept for renewals first certificates leave alone")
	}
	switch {
	case len(all) == 0:
		r.say("every budget is full")
	case paused:
		r.say("paused: unpause the name at the CA (`certpace status NAME` has its link), then `certpace budgets resume`")
	}
	return nil
}

// sayOthers says where a CA named other figures in a 429 than are in force here.
func sayOthers(r *run, op *operator.Operator) error {
	ca, err := budget.CAHost(op.Directory)
	if err != nil {
		return nil // no directory is given, so there is none to speak of
	}
	set, err := op.Store.LimitOverrides(r, ca)
	if err != nil {
		return fmt.Errorf("reading the limits of %s: %w", ca, err)
	}
	for _, words := range set.InForce(op.Directory).Others(set.Heard) {
		r.say("%s: %s", ca, words)
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
		return table.Row{s.CA, s.Limit, subject(s), force, "paused", "-", "-", "-", "-", "-"}
	}
	return table.Row{
		s.CA, s.Limit, subject(s), force, fmt.Sprintf("%d of %d", s.Left, s.Burst), s.kept(), in(s.NextToken, now, "now"), in(s.FitsAt, now, "-"), in(s.PlannedAt, now, "-"), in(s.FullAt, now, "-"),
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
