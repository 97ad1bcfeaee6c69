package cli

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
	"github.com/certpace/certpace/internal/suffix"
)

type setBudgetCmd struct {
	Limit   string         `arg:"" help:"Limit, as 'certpace budgets' names it."`
	For     string         `placeholder:"KEY" help:"For this key only: a registered domain, a set's names (a,b,…) or hash, or a shard. Every key where it isn't given."`
	Burst   *int64         `placeholder:"N" help:"How many at once."`
	Count   *int64         `placeholder:"N" help:"How many in a period; the burst where it isn't given."`
	Period  *time.Duration `placeholder:"D" help:"Time in which count come back, for example 3h."`
	Default bool           `help:"Take the override back: what the CA's set says is in force again."`
}

// Run replaces one limit of the default directory's CA, for every key or for one, or takes the override back. What was spent of it stays
// spent.
func (s *setBudgetCmd) Run(r *run) error {
	name, limit, err := s.override()
	if err != nil {
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
	if s.Default {
		delete(set.Overrides, name)
	} else {
		set.Overrides = set.Overrides.With(budget.Limits{name: limit})
	}
	if err := op.Store.SetLimits(r, host, set); err != nil {
		return fmt.Errorf("setting %s: %w", s.Limit, err)
	}
	if r.json() {
		return r.print(answer(host, name, set, op.Directory), nil, nil)
	}
	r.say("%s at %s: %s", s.what(name), op.Directory, inForce(set, op.Directory, name))
	return nil
}

// limitSet is the JSON that budgets set prints: what is in force from now on. It is stable.
type limitSet struct {
	CA     string      `json:"ca"`
	Limit  budget.Name `json:"limit"`
	For    string      `json:"for,omitempty"` // the one key that it holds for
	Burst  *int64      `json:"burst"`         // null, as the others, where nothing is limited
	Count  *int64      `json:"count"`
	Period *string     `json:"period"` // as Go writes durations
}

func answer(host string, name budget.Name, set entry.LimitSet, directory string) limitSet {
	limit, subject, _ := name.Split()
	a := limitSet{CA: host, Limit: limit, For: subject}
	if l, limited := set.InForce(directory).Of(budget.Key{Limit: limit, Subject: subject}); limited {
		period := l.Period.String()
		a.Burst, a.Count, a.Period = &l.Burst, &l.Count, &period
	}
	return a
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

// override reads the arguments: which entry of the limits is meant, and what it shall be. The error is one message: field, value and fix.
func (s *setBudgetCmd) override() (name budget.Name, l budget.Limit, err error) {
	name = budget.Name(s.Limit)
	if !name.Known() {
		return "", l, fmt.Errorf("limit: %q is unknown; use one of %v", s.Limit, budget.Names())
	}
	if s.For != "" {
		subject, err := subjectOf(name, s.For)
		if err != nil {
			return "", l, err
		}
		name = name.For(subject)
	}
	l, err = s.figures()
	return name, l, err
}

func (s *setBudgetCmd) figures() (l budget.Limit, err error) {
	switch {
	case s.Default && (s.Burst != nil || s.Count != nil || s.Period != nil):
		return l, errors.New("--default: stands beside figures; give figures, or --default to take the override back")
	case s.Default:
		return l, nil
	case s.Burst == nil:
		return l, errors.New("missing flags: --burst; say how many at once, or --default to take an override back")
	case s.Period == nil:
		return l, errors.New("missing flags: --period; give the time in which they come back, such as 3h, or --default to take an override back")
	}
	l = budget.Limit{Burst: *s.Burst, Count: *s.Burst, Period: *s.Period}
	if s.Count != nil {
		l.Count = *s.Count
	}
	return l, l.Validate()
}

func (s *setBudgetCmd) what(name budget.Name) string {
	if _, subject, single := name.Split(); single {
		return s.Limit + " of " + subject
	}
	return s.Limit
}

// inForce says what holds from now on.
func inForce(set entry.LimitSet, directory string, name budget.Name) string {
	limit, subject, _ := name.Split()
	l, limited := set.InForce(directory).Of(budget.Key{Limit: limit, Subject: subject})
	if !limited {
		return "not limited"
	}
	return fmt.Sprintf("%d at once, %d in %s", l.Burst, l.Count, short(l.Period))
}

var setHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// subjectOf is the subject of a budget as people name it. Where the CA counts registered domains it must be one, and where it counts for an
// account it must be this deployment's: an override of anything else would never be in force.
func subjectOf(limit budget.Name, text string) (string, error) {
	subject := strings.ToLower(strings.TrimSpace(text))
	account, name, pair := strings.Cut(subject, " ")
	switch limit {
	case budget.CertificatesPerExactSet:
		if !setHash.MatchString(subject) {
			return hashOf(subject)
		}
	case budget.CertificatesPerRegisteredDomain:
		return subject, cmp.Or(limit.CheckSubject(subject), registered(subject))
	case budget.NewOrdersPerAccount, budget.FailedAuthorizations, budget.ConsecutiveFailures, budget.CertificatesPerRegisteredDomainPerAccount:
		if account != app.Shard {
			return "", fmt.Errorf("for: %.300q is not of this deployment's account; write %s", text, example(limit))
		}
		if pair && limit.OverrideOnly() {
			return subject, cmp.Or(limit.CheckSubject(subject), registered(name))
		}
	}
	return subject, limit.CheckSubject(subject)
}

func example(limit budget.Name) string {
	if limit == budget.NewOrdersPerAccount {
		return app.Shard
	}
	return fmt.Sprintf("%s, or %q for one name", app.Shard, app.Shard+" example.com")
}

func registered(domain string) error {
	counted, err := suffix.RegisteredDomain(domain)
	if err != nil {
		return fmt.Errorf("for: %w", err)
	}
	if counted != domain {
		return fmt.Errorf("for: %q is not a registered domain; the CA counts its certificates under %s, so give that", domain, counted)
	}
	return nil
}

// hashOf is the hash of a set that is given by its names.
func hashOf(list string) (string, error) {
	names := strings.Split(list, ",")
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
		if err := budget.CertificatesPerRegisteredDomain.CheckSubject(strings.TrimPrefix(names[i], "*.")); err != nil {
			return "", fmt.Errorf("for: %.300q is neither the hash of a set nor its names; write all of its names as a.example.com,b.example.com", n)
		}
	}
	return budget.SetHash(names), nil
}
