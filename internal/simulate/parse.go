package simulate

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/plan"
)

// longest is the longest simulation: what lies further away than two centuries leaves int64 nanoseconds.
const longest = 100 * 365 * 24 * time.Hour

// The bounds of a fleet: what a run keeps of it fits into 4 GB, some 5 kB for each certificate and
// 1 kB for each name.
const (
	mostCertificates = 500_000   // the most that a fleet is made for
	mostNames        = 2_000_000 // of all certificates together
)

// Parse reads a scenario, YAML or JSON. The error is one message: the field, its value, and the fix.
func Parse(r io.Reader) (Scenario, error) {
	raw, err := decode(r)
	if err != nil {
		return Scenario{}, err
	}
	p := &parser{}
	s := p.scenario(raw)
	if p.err != nil {
		return Scenario{}, fmt.Errorf("scenario: %w", p.err)
	}
	return s, nil
}

// parser turns text into values. It keeps the first fault.
type parser struct{ err error }

func (p *parser) fault(field string, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...))
	}
}

func (p *parser) scenario(raw rawScenario) Scenario {
	s := Scenario{
		Start:        p.start("start", raw.Start),
		Duration:     p.duration("duration", raw.Duration, 0, time.Second, longest),
		Seed:         p.integer("seed", raw.Seed, 0, math.MinInt64, math.MaxInt64),
		CA:           p.ca(raw),
		Issuance:     time.Duration(p.integer("worker.seconds_per_issuance", raw.Worker.SecondsPerIssuance, 12, 1, int64(budget.MaxIssuance/time.Second))) * time.Second,
		Tick:         p.duration("tick", raw.Tick, plan.LongestTick, time.Second, plan.LongestTick),
		PlannerShare: p.share("planner_share", raw.PlannerShare, 1),
		Failures: Failures{
			Validation:  p.share("failures.validation", raw.Failures.Validation, 0),
			Unavailable: p.share("failures.unavailable", raw.Failures.Unavailable, 0),
		},
	}
	p.limits(&s, raw)
	p.trouble(&s, raw)
	p.fleet(&s, raw)
	return s
}

func (p *parser) ca(raw rawScenario) CA {
	return CA{
		Lifetime: p.duration("ca.lifetime", raw.CA.Lifetime, 90*24*time.Hour, time.Hour, longest),
		ARI:      p.boolean("ca.ari", raw.CA.ARI, true),
	}
}

// trouble reads what goes wrong at a time of its own.
func (p *parser) trouble(s *Scenario, raw rawScenario) {
	b, r := raw.Broken, raw.Revoke
	s.Broken = Broken{
		Share: p.share("broken.share", b.Share, 0),
		From:  p.duration("broken.from", b.From, 0, 0, longest),
		For:   p.duration("broken.for", b.For, 0, 0, longest),
	}
	if s.Broken.Share > 0 && s.Broken.For == 0 {
		p.fault("broken.for", "is missing; say how long the share is broken, such as 168h")
	}
	s.Revoke = Revoke{
		Share:    p.share("revoke.share", r.Share, 0),
		At:       p.duration("revoke.at", r.At, 0, 0, longest),
		Deadline: p.duration("revoke.deadline", r.Deadline, 24*time.Hour, time.Second, longest),
	}
	if s.Revoke.Share > 0 && s.Revoke.At >= s.Duration {
		p.fault("revoke.at", "%s is not before the end, %s after the start; give an earlier time or a longer duration", s.Revoke.At, s.Duration)
	}
}

func (p *parser) fleet(s *Scenario, raw rawScenario) {
	f := raw.Fleet
	s.Fleet.File = string(f.File)
	made := f.Certificates + f.DomainsPer + f.RegisteredDomains + f.PerSet + f.IssuedOver + f.IssuedBefore + f.WantedOver
	switch {
	case s.Fleet.File != "" && made != "":
		p.fault("fleet.file", "%q stands beside figures; give a file or figures, not both", s.Fleet.File)
	case s.Fleet.File != "":
	case f.Certificates == "":
		p.fault("fleet", "is missing; give a file, or certificates, domains_per_certificate, registered_domains and issued_over")
	default:
		s.Fleet = p.figures(raw)
	}
}

func (p *parser) figures(raw rawScenario) Fleet {
	f := raw.Fleet
	made := Fleet{
		Certificates:      int(p.integer("fleet.certificates", f.Certificates, 0, 1, mostCertificates)),
		DomainsPer:        int(p.integer("fleet.domains_per_certificate", f.DomainsPer, 1, 1, maxNames)),
		RegisteredDomains: int(p.integer("fleet.registered_domains", f.RegisteredDomains, 1, 1, mostNames)),
		PerSet:            int(p.integer("fleet.certificates_per_set", f.PerSet, 1, 1, mostCertificates)),
		IssuedOver:        p.duration("fleet.issued_over", f.IssuedOver, 0, 0, longest),
		IssuedBefore:      p.duration("fleet.issued_before", f.IssuedBefore, 0, 0, longest),
		WantedOver:        p.duration("fleet.wanted_over", f.WantedOver, 0, 0, longest),
	}
	switch {
	case made.Certificates*made.DomainsPer > mostNames:
		p.fault("fleet", "%d certificates of %d domains have %d names, and %d are the most; give less, or simulate one part after the other",
			made.Certificates, made.DomainsPer, made.Certificates*made.DomainsPer, mostNames)
	case made.IssuedOver > 0 && made.WantedOver > 0:
		p.fault("fleet.wanted_over", "%s stands beside issued_over; a fleet that is made is either in use or wanted, give one of both", made.WantedOver)
	case made.IssuedBefore > 0 && made.IssuedOver == 0:
		p.fault("fleet.issued_before", "%s stands without issued_over; say within which time the fleet was issued", made.IssuedBefore)
	}
	return made
}

func (p *parser) start(field string, t text) time.Time {
	at, err := time.Parse(time.RFC3339, string(t))
	switch {
	case t == "":
		p.fault(field, "is missing; give a moment such as 2026-12-01T00:00:00Z")
	case err != nil:
		p.fault(field, "%.100q is not a time; write it as RFC 3339 has it, such as 2026-12-01T00:00:00Z", string(t))
	case at.Nanosecond() != 0:
		p.fault(field, "%.100q has parts of a second; give a whole one", string(t))
	case at.Year() < 1990 || at.Year() > 2100:
		p.fault(field, "%.100q is not between 1990 and 2100; give a year in which there are certificates", string(t))
	}
	return at.UTC()
}

// duration reads whole seconds between least and most; what isn't there is otherwise, or missing if that is too short.
func (p *parser) duration(field string, t text, otherwise, least, most time.Duration) time.Duration {
	d := otherwise
	if t != "" {
		var err error
		if d, err = time.ParseDuration(string(t)); err != nil {
			p.fault(field, "%.100q is not a duration; write it as Go does, such as 15m or 2160h", string(t))
			return 0
		}
	}
	switch {
	case t == "" && d < least:
		p.fault(field, "is missing; give a duration such as 2160h")
	case d < least || d > most:
		p.fault(field, "%s is not between %s and %s; give a duration in that range", d, least, most)
	case d%time.Second != 0:
		p.fault(field, "%s has parts of a second; give whole seconds", d)
	}
	return d
}

func (p *parser) integer(field string, t text, otherwise, least, most int64) int64 {
	if t == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil {
		p.fault(field, "%.100q is not a whole number; give one from %d to %d", string(t), least, most)
	} else if n < least || n > most {
		p.fault(field, "%d is out of range; give a whole number from %d to %d", n, least, most)
	}
	return n
}

func (p *parser) share(field string, t text, otherwise float64) float64 {
	if t == "" {
		return otherwise
	}
	f, err := strconv.ParseFloat(string(t), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		p.fault(field, "%.100q is not a share; give a number from 0 to 1, such as 0.02", string(t))
		return 0
	}
	return f
}

func (p *parser) boolean(field string, t text, otherwise bool) bool {
	switch t {
	case "":
		return otherwise
	case "true", "false":
		return t == "true"
	}
	p.fault(field, "%.100q is neither true nor false; write one of them", string(t))
	return false
}

func (p *parser) limits(s *Scenario, raw rawScenario) {
	s.Overrides = p.limitMap("overrides", raw.Overrides)
	if raw.Limits.limits != nil {
		s.Limits = p.limitMap("limits", raw.Limits.limits).With(s.Overrides)
		return
	}
	s.Set = string(raw.Limits.set)
	if s.Set == "" {
		s.Set = budget.SetLetsEncrypt
	}
	set, ok := budget.Set(s.Set)
	if !ok {
		p.fault("limits", "%.100q is unknown; use one of %v, or a map of limit: {burst, count, period}", s.Set, budget.SetNames())
	}
	s.Limits = set.With(s.Overrides)
}

func (p *parser) limitMap(field string, raw map[string]rawLimit) budget.Limits {
	all := budget.Limits{}
	names := make([]string, 0, len(raw))
	for n := range raw {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		at, r := field+"."+n, raw[n]
		if !budget.Name(n).Known() {
			p.fault(field, "limit %.100q is unknown; use one of %v", n, budget.Names())
			continue
		}
		if budget.Name(n).OverrideOnly() && field == "limits" {
			p.fault(at, "exists as an override only; name it under overrides")
			continue
		}
		all[budget.Name(n)] = p.limit(at, r)
	}
	return all
}

func (p *parser) limit(field string, r rawLimit) budget.Limit {
	l := budget.Limit{
		Burst: p.integer(field+".burst", r.Burst, 0, math.MinInt64, math.MaxInt64),
		Count: p.integer(field+".count", r.Count, 0, math.MinInt64, math.MaxInt64),
	}
	period, err := time.ParseDuration(string(r.Period))
	if err != nil {
		p.fault(field+".period", "%.100q is not a duration; write it as Go does, such as 3h", string(r.Period))
		return l
	}
	l.Period = period
	if err := l.Validate(); err != nil && p.err == nil {
		p.err = fmt.Errorf("%s.%w", field, err)
	}
	return l
}
