package budget

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limits is a CA's set of limits. A name that is absent is not limited. A name made by Name.For limits one key only, in place of what
// holds for every key; so does the CA keep its own overrides.
type Limits map[Name]Limit

// The names of the limit sets.
const (
	SetLetsEncrypt        = "letsencrypt"
	SetLetsEncryptStaging = "letsencrypt-staging"
	SetNone               = "none" // a CA without limits
)

const day = 24 * time.Hour

// LetsEncrypt is the production set of Let's Encrypt as published in August 2026 (docs/limits.md, section 1).
func LetsEncrypt() Limits {
	return Limits{
		NewOrdersPerAccount:             {Burst: 300, Count: 300, Period: 3 * time.Hour},
		CertificatesPerRegisteredDomain: {Burst: 50, Count: 50, Period: 7 * day},
		CertificatesPerExactSet:         {Burst: 5, Count: 5, Period: 7 * day},
		FailedAuthorizations:            {Burst: 5, Count: 5, Period: time.Hour},
		ConsecutiveFailures:             {Burst: 1152, Count: 1, Period: day},
		NewRegistrationsPerIP:           {Burst: 10, Count: 10, Period: 3 * time.Hour},
		NewRegistrationsPerIPv6Range:    {Burst: 500, Count: 500, Period: 3 * time.Hour},
	}
}

// LetsEncryptStaging is the set of Let's Encrypt's staging environment as published in April 2026 (docs/limits.md, section 1).
func LetsEncryptStaging() Limits {
	return Limits{
		NewOrdersPerAccount:             {Burst: 1500, Count: 1500, Period: 3 * time.Hour},
		CertificatesPerRegisteredDomain: {Burst: 30000, Count: 30000, Period: time.Second},
		CertificatesPerExactSet:         {Burst: 30000, Count: 30000, Period: 7 * day},
		FailedAuthorizations:            {Burst: 200, Count: 200, Period: time.Hour},
		ConsecutiveFailures:             {Burst: 3600, Count: 3600, Period: 6 * time.Hour},
		NewRegistrationsPerIP:           {Burst: 50, Count: 50, Period: 3 * time.Hour},
		NewRegistrationsPerIPv6Range:    {Burst: 500, Count: 500, Period: 3 * time.Hour},
	}
}

// Set is the limit set of that name.
func Set(name string) (Limits, bool) {
	switch name {
	case SetLetsEncrypt:
		return LetsEncrypt(), true
	case SetLetsEncryptStaging:
		return LetsEncryptStaging(), true
	case SetNone:
		return Limits{}, true
	}
	return nil, false
}

// SetNames lists the limit sets.
func SetNames() []string { return []string{SetLetsEncrypt, SetLetsEncryptStaging, SetNone} }

// ForDirectory is the limit set of the CA with that directory URL, and its name. A CA that isn't known gets Let's Encrypt's
// production limits: too careful is only slow, too bold is a denial.
func ForDirectory(directory string) (set string, l Limits) {
	u, err := url.Parse(directory)
	if err == nil && strings.EqualFold(u.Hostname(), "acme-staging-v02.api.letsencrypt.org") {
		return SetLetsEncryptStaging, LetsEncryptStaging()
	}
	return SetLetsEncrypt, LetsEncrypt()
}

// With is l with some limits replaced or added.
func (l Limits) With(overrides Limits) Limits {
	all := maps.Clone(l)
	if all == nil {
		all = Limits{}
	}
	maps.Copy(all, overrides)
	return all
}

// Of is the limit in force for a key; ok is false where nothing limits it.
func (l Limits) Of(k Key) (limit Limit, ok bool) {
	name, ok := l.InForce(k)
	return l[name], ok
}

// single says whether any limit is of one key only.
func (l Limits) single() bool {
	for n := range l {
		if strings.IndexByte(string(n), '/') >= 0 {
			return true
		}
	}
	return false
}

// InForce is the name under which l has the limit of a key: what was said of the key itself, else of its account, else of all keys.
func (l Limits) InForce(k Key) (n Name, ok bool) {
	account, _, _ := strings.Cut(k.Subject, " ")
	for _, n := range []Name{k.Limit.For(k.Subject), k.Limit.For(account), k.Limit} {
		if _, ok := l[n]; ok {
			return n, true
		}
	}
	return "", false
}

// Validate says all that is wrong with l, each fault with the limit's name.
func (l Limits) Validate() error {
	var faults []error
	for _, n := range slices.Sorted(maps.Keys(l)) {
		limit, subject, single := n.Split()
		if !limit.Known() {
			faults = append(faults, fmt.Errorf("limit: %.100q is unknown; use one of %s", string(limit), nameList()))
			continue
		}
		if single {
			if err := limit.CheckSubject(subject); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", limit, err))
			}
		}
		if err := l[n].Validate(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", n, err))
		}
	}
	return errors.Join(faults...)
}
