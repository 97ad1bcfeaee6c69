package budget

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/retryafter"
)

// Refusal is what a 429 of the CA says.
type Refusal struct {
	Limit      Name          // the limit that denied; empty where the CA didn't say, or named one that isn't kept here
	Subject    string        // the name or registered domain that the detail quotes, lower-case; empty where there is none
	RetryAfter time.Duration // how long to wait, a year at most; 0 where the CA didn't say
	Paused     bool          // the account is paused for these names: no waiting helps, a person must open the link in the detail
}

// anchors are the fragments of the documentation link that ends every rate limit's detail. They are the stable part of the text.
var anchors = map[string]Name{
	"new-registrations-per-ip-address":                  NewRegistrationsPerIP,
	"new-registrations-per-ipv6-range":                  NewRegistrationsPerIPv6Range,
	"new-orders-per-account":                            NewOrdersPerAccount,
	"authorization-failures-per-identifier-per-account": FailedAuthorizations,
	"new-certificates-per-registered-domain":            CertificatesPerRegisteredDomain,
	"new-certificates-per-exact-set-of-identifiers":     CertificatesPerExactSet,
}

var (
	anchorText  = regexp.MustCompile(`#([a-z0-9-]+)`)
	quotedText  = regexp.MustCompile(`"([A-Za-z0-9*._:/-]{1,253})"`)
	figureText  = regexp.MustCompile(`\((\d{1,12})\)[^()]* in the last ([0-9hms.]{2,30})`)
	retryText   = regexp.MustCompile(`retry after (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC`)
	pausedText  = regexp.MustCompile(`(?is)requesting certificates for (.+?)(?:,? and possibly others|\. Please)`)
	unpauseLink = regexp.MustCompile(`(?i)https?://[^\s"']*unpause[^\s"']*`)
)

// Classify429 reads the problem document's detail and the Retry-After header (empty where there was none) of a 429 that arrived at
// now. It never fails: of what it doesn't recognise it says nothing.
func Classify429(detail, retryAfter string, now time.Time) Refusal {
	wait, said := retryafter.Parse(retryAfter, now)
	r := Refusal{RetryAfter: wait}
	limit, anchored := anchored(detail)
	if !anchored {
		r.Paused = !said && speaksOfPause(detail)
		return r
	}
	r.Limit = limit
	if r.RetryAfter == 0 {
		r.RetryAfter = waitInText(detail, now)
	}
	if limit == FailedAuthorizations || limit == CertificatesPerRegisteredDomain {
		r.Subject = quoted(detail)
	}
	return r
}

// Bucket is what the refusal speaks of, for an order of these names by this account, and the limit in force there; ok is false where it
// speaks of none that is kept. Both counts of a registered domain's certificates are refused in the same words: what is meant is the one
// that the CA asked, which is the account's where there is one.
func (r Refusal) Bucket(l Limits, ca, account string, names []string) (k Key, limit Limit, ok bool) {
	k, ok = r.key(ca, account, names)
	if !ok {
		return Key{}, Limit{}, false
	}
	if k.Limit == CertificatesPerRegisteredDomain {
		own := Key{CA: ca, Limit: CertificatesPerRegisteredDomainPerAccount, Subject: DomainSubject(account, k.Subject)}
		if limit, ok := l.Of(own); ok {
			return own, limit, true
		}
	}
	limit, ok = l.Of(k)
	return k, limit, ok
}

func (r Refusal) key(ca, account string, names []string) (k Key, ok bool) {
	k = Key{CA: ca, Limit: r.Limit}
	switch r.Limit {
	case NewOrdersPerAccount:
		k.Subject = account
	case CertificatesPerExactSet:
		k.Subject = SetHash(names)
	case CertificatesPerRegisteredDomain:
		k.Subject = r.Subject
	case FailedAuthorizations:
		if r.Subject != "" {
			k.Subject = FailureSubject(account, r.Subject)
		}
	case NewRegistrationsPerIP, NewRegistrationsPerIPv6Range:
		k.Subject = AnyAddress
	}
	if k.Subject == "" {
		return Key{}, false
	}
	return k, true
}

// PausedNames lists those of an order's names that the detail of a pause names; all of them where it names none, because it was this
// order that was refused.
func PausedNames(detail string, names []string) []string {
	named := map[string]bool{}
	if m := pausedText.FindStringSubmatch(detail); m != nil {
		for _, n := range strings.Split(strings.ToLower(m[1]), ",") {
			named[strings.Trim(n, " \"'")] = true
		}
	}
	all := distinct(names)
	some := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return !named[n] })
	if len(some) == 0 {
		return all
	}
	return some
}

// RedactUnpause takes the unpause link out of a detail. It is a bearer token: whoever has it can act for the account.
func RedactUnpause(detail string) string {
	return unpauseLink.ReplaceAllString(detail, "(unpause link)")
}

func anchored(detail string) (Name, bool) {
	for _, m := range anchorText.FindAllStringSubmatch(detail, -1) {
		if n, ok := anchors[m[1]]; ok {
			return n, true
		}
	}
	return "", false
}

func speaksOfPause(detail string) bool {
	low := strings.ToLower(detail)
	return strings.Contains(low, "temporarily prevented from requesting certificates") || strings.Contains(low, "/unpause")
}

func quoted(detail string) string {
	if m := quotedText.FindStringSubmatch(detail); m != nil {
		return strings.ToLower(m[1])
	}
	return ""
}

// waitInText reads the moment that the detail ends with; it is cut to whole seconds there.
func waitInText(detail string, now time.Time) time.Duration {
	m := retryText.FindStringSubmatch(detail)
	if m == nil {
		return 0
	}
	at, err := time.Parse(time.DateTime, m[1])
	if err != nil {
		return 0
	}
	return retryafter.Until(at, now)
}
