package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/budget"
)

type budgetsCmd struct {
	List listBudgetsCmd `cmd:"" default:"withargs" help:"Show every budget that isn't full."`
	Set  setBudgetCmd   `cmd:"" help:"Replace a limit of a CA, because it grants you more, or somebody else spends from it too."`
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
	NextToken *time.Time  `json:"next_token"` // null where there is one now
	FitsAt    *time.Time  `json:"fits_at"`    // when Fits orders would; null for never
	FullAt    *time.Time  `json:"full_at"`
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
		if limit, limited := l[have.Key.Limit]; limited {
			all = append(all, budgetStatusOf(have.Key, limit, have.Bucket, r.now(), b.Fits))
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

func budgetStatusOf(k budget.Key, l budget.Limit, b budget.Bucket, now time.Time, n int64) budgetStatus {
	d := budget.Check(l, b, now)
	return budgetStatus{
		CA: k.CA, Limit: k.Limit, Key: k.Subject, Left: d.Remaining, Burst: l.Burst,
		NextToken: optional(d.RetryAt), FitsAt: optional(budget.FitsAt(l, b, now, n)), FullAt: optional(b.TAT),
	}
}

func (b *listBudgetsCmd) show(r *run, all []budgetStatus) error {
	if all == nil {
		all = []budgetStatus{}
	}
	rows := make([]table.Row, 0, len(all))
	for _, s := range all {
		rows = append(rows, table.Row{s.CA, s.Limit, subject(s), fmt.Sprintf("%d of %d", s.Left, s.Burst), in(s.NextToken, r.now(), "now"), in(s.FitsAt, r.now(), "-"), in(s.FullAt, r.now(), "-")})
	}
	if err := r.print(all, table.Row{"ca", "limit", "key", "left", "next token", fmt.Sprintf("%d fit", b.Fits), "full"}, rows); err != nil {
		return err
	}
	if len(all) == 0 {
		r.say("every budget is full")
	}
	return nil
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

type setBudgetCmd struct {
	Limit  string        `arg:"" help:"Limit, as 'certpace budgets' names it."`
	Burst  int64         `required:"" help:"How many at once."`
	Count  int64         `help:"How many in a period; the burst where it isn't given."`
	Period time.Duration `required:"" help:"Time in which count come back, for example 3h."`
}

// limitSet is the JSON that budgets set prints; it is stable.
type limitSet struct {
	CA     string      `json:"ca"`
	Limit  budget.Name `json:"limit"`
	Burst  int64       `json:"burst"`
	Count  int64       `json:"count"`
	Period string      `json:"period"` // as Go writes durations
}

// Run replaces one limit of the default directory's CA, for every key. What was spent of it stays spent.
func (s *setBudgetCmd) Run(r *run) error {
	l := budget.Limit{Burst: s.Burst, Count: cmp.Or(s.Count, s.Burst), Period: s.Period}
	if !budget.Name(s.Limit).Known() {
		return usage{fmt.Errorf("limit: %q is unknown; use one of %v", s.Limit, budget.Names())}
	}
	if err := l.Validate(); err != nil {
		return usage{err}
	}
	op, err := r.open("TABLE", "ACME_DIRECTORY")
	if err != nil {
		return err
	}
	host, err := budget.CAHost(op.Directory)
	if err != nil {
		return err
	}
	set, err := op.Store.LimitOverrides(r, host)
	if err != nil {
		return fmt.Errorf("reading the limits of %s: %w", host, err)
	}
	set.Overrides = set.Overrides.With(budget.Limits{budget.Name(s.Limit): l})
	if err := op.Store.SetLimits(r, host, set); err != nil {
		return fmt.Errorf("setting %s: %w", s.Limit, err)
	}
	if r.json() {
		return r.print(limitSet{host, budget.Name(s.Limit), l.Burst, l.Count, l.Period.String()}, nil, nil)
	}
	r.say("%s at %s: %d at once, %d in %s", s.Limit, op.Directory, l.Burst, l.Count, short(l.Period))
	return nil
}

// short writes a period without the units that are nought: 168h, not 168h0m0s.
func short(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "m0s")
	if text == d.String() {
		return text
	}
	if hours, whole := strings.CutSuffix(text, "h0"); whole {
		return hours + "h"
	}
	return text + "m"
}
