package simulate

import (
	"maps"
	"math"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// rate is one limit as the CA keeps it: an emission interval and the refill of an empty bucket, in nanoseconds. It is written from the CA's
// own code (docs/limits.md, section 3) and shares nothing with the planner's arithmetic, which it is there to check.
type rate struct{ emission, offset int64 }

func newRate(burst, count int64, period time.Duration) rate {
	emission := int64(period) / count
	return rate{emission: emission, offset: emission * burst}
}

// ask is what a bucket answers to one token at now. tat is 0 for a bucket that was never spent from. A denied bucket stays as it is.
func (r rate) ask(tat, now int64) (newTAT, retryIn int64, allowed bool) {
	newTAT = max(now, tat) + r.emission
	slack := now - (newTAT - r.offset)
	if slack < 0 {
		return tat, -slack, false
	}
	return newTAT, 0, true
}

// rates are a CA's limits. What isn't there is not limited.
type rates map[budget.Name]rate

const week = 7 * 24 * time.Hour

// production and staging are the published limits (docs/limits.md, section 1), written down again so that a wrong figure on the other side shows.
func production() rates {
	return rates{
		budget.NewOrdersPerAccount:             newRate(300, 300, 3*time.Hour),
		budget.CertificatesPerRegisteredDomain: newRate(50, 50, week),
		budget.CertificatesPerExactSet:         newRate(5, 5, week),
		budget.FailedAuthorizations:            newRate(5, 5, time.Hour),
		budget.ConsecutiveFailures:             newRate(1152, 1, 24*time.Hour),
		budget.NewRegistrationsPerIP:           newRate(10, 10, 3*time.Hour),
		budget.NewRegistrationsPerIPv6Range:    newRate(500, 500, 3*time.Hour),
	}
}

func staging() rates {
	return rates{
		budget.NewOrdersPerAccount:             newRate(1500, 1500, 3*time.Hour),
		budget.CertificatesPerRegisteredDomain: newRate(30000, 30000, time.Second),
		budget.CertificatesPerExactSet:         newRate(30000, 30000, week),
		budget.FailedAuthorizations:            newRate(200, 200, time.Hour),
		budget.ConsecutiveFailures:             newRate(3600, 3600, 6*time.Hour),
		budget.NewRegistrationsPerIP:           newRate(50, 50, 3*time.Hour),
		budget.NewRegistrationsPerIPv6Range:    newRate(500, 500, 3*time.Hour),
	}
}

// ratesOf are the limits that a scenario's CA enforces: its set, or what is written out, with the overrides.
func ratesOf(s Scenario) rates {
	all := rates{}
	written := s.Overrides
	switch s.Set {
	case budget.SetLetsEncrypt:
		all = production()
	case budget.SetLetsEncryptStaging:
		all = staging()
	case "":
		written = s.Limits
	}
	for name, l := range written {
		all[name] = newRate(l.Burst, l.Count, l.Period)
	}
	return all
}

// usable are the limits as a planner has them that leaves the rest of its share to people: no schedule may use what it must leave. Refill isn't cut.
func (all rates) usable(share float64) rates {
	left := maps.Clone(all)
	for _, name := range []budget.Name{
		budget.NewOrdersPerAccount, budget.CertificatesPerRegisteredDomain, budget.CertificatesPerRegisteredDomainPerAccount,
	} {
		if r, limited := left[name]; limited {
			burst := r.offset / r.emission
			kept := int64(math.Ceil((1-share)*float64(burst) - 1e-7))
			left[name] = rate{r.emission, max(1, burst-kept) * r.emission}
		}
	}
	return left
}

// asked are the buckets of an order's registered domains that the CA asks for a token: the account's own where it granted that, else those
// that all accounts share.
func (all rates) asked(account int, domains []string) []bucket {
	if _, granted := all[budget.CertificatesPerRegisteredDomainPerAccount]; granted {
		return perDomain(budget.CertificatesPerRegisteredDomainPerAccount, account, domains)
	}
	return perDomain(budget.CertificatesPerRegisteredDomain, 0, domains)
}

// counted are those that it takes a token from: both.
func counted(account int, domains []string) []bucket {
	shared := perDomain(budget.CertificatesPerRegisteredDomain, 0, domains)
	return append(shared, perDomain(budget.CertificatesPerRegisteredDomainPerAccount, account, domains)...)
}

func perDomain(limit budget.Name, account int, domains []string) []bucket {
	bs := make([]bucket, 0, len(domains))
	for _, d := range domains {
		bs = append(bs, bucket{limit, account, d})
	}
	return bs
}
