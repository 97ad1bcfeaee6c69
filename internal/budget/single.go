package budget

import (
	"fmt"
	"regexp"
	"strings"
)

// For is the name of the limit of one key, in Limits only: an override that the CA grants for one registered domain, one set of names or
// one account. Of a limit that is counted for an account and something else, the account alone means all that is the account's.
func (n Name) For(subject string) Name { return n + "/" + Name(subject) }

// Split is For backwards; single is false where n holds for every key.
func (n Name) Split() (limit Name, subject string, single bool) {
	before, after, single := strings.Cut(string(n), "/")
	return Name(before), after, single
}

// What a subject can be. An account is a shard's name; names are as the fleet file has them.
var (
	accountText = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,200}$`)
	domainText  = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,62})\.)*[a-z0-9_]([a-z0-9_-]{0,62})$`)
	hashText    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// CheckSubject says why a limit can't be set for a subject alone: field, value and fix.
func (n Name) CheckSubject(subject string) error {
	account, rest, pair := strings.Cut(subject, " ")
	switch n {
	case CertificatesPerRegisteredDomain:
		if !isDomain(subject) {
			return fmt.Errorf("for: %.300q is not a registered domain; write one such as example.com, in lower case", subject)
		}
	case CertificatesPerExactSet:
		if !hashText.MatchString(subject) {
			return fmt.Errorf("for: %.300q is not the hash of a set of names; give its 64 hexadecimal digits", subject)
		}
	case NewRegistrationsPerIP, NewRegistrationsPerIPv6Range:
		return fmt.Errorf("for: %.300q can't have %s of its own; all addresses are counted in one bucket, so set it for every key", subject, n)
	case NewOrdersPerAccount:
		if !accountText.MatchString(subject) {
			return fmt.Errorf("for: %.300q is not an account; give its shard, such as 0", subject)
		}
	default:
		if !accountText.MatchString(account) || pair && !isDomain(strings.TrimPrefix(rest, "*.")) {
			return fmt.Errorf("for: %.300q is not an account, alone or with a name; write its shard, such as 0, or \"0 example.com\"", subject)
		}
	}
	return nil
}

func isDomain(s string) bool { return len(s) <= 253 && domainText.MatchString(s) }
