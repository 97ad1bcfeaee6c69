package budget

import (
	"slices"
	"strings"
)

// Name is the name of a limit, the same in the table, in scenarios, in overrides and on the command line. docs/limits.md has each
// one's figures and what the CA counts.
type Name string

// The limits, with the subject of their keys and the moment at which the CA counts.
const (
	NewOrdersPerAccount                       Name = "new-orders-per-account"                         // the account (certpace: its shard); at newOrder
	CertificatesPerRegisteredDomain           Name = "certificates-per-registered-domain"             // registered domain, of all accounts; at issuance
	CertificatesPerRegisteredDomainPerAccount Name = "certificates-per-registered-domain-per-account" // the account and the domain; at issuance. An override only
	CertificatesPerExactSet                   Name = "certificates-per-exact-set"                     // hash of the set of names, of all accounts; at issuance
	FailedAuthorizations                      Name = "failed-authorizations"                          // the account and the name; at each failed validation
	ConsecutiveFailures                       Name = "consecutive-failures"                           // the same; when empty the CA pauses the name; a success fills it
	NewRegistrationsPerIP                     Name = "new-registrations-per-ip"                       // IP address; at newAccount
	NewRegistrationsPerIPv6Range              Name = "new-registrations-per-ipv6-range"               // IPv6 /48; at newAccount, beside the address
)

var names = []Name{
	NewOrdersPerAccount, CertificatesPerRegisteredDomain, CertificatesPerRegisteredDomainPerAccount, CertificatesPerExactSet,
	FailedAuthorizations, ConsecutiveFailures, NewRegistrationsPerIP, NewRegistrationsPerIPv6Range,
}

// Names lists all limits, in the order in which an order meets them.
func Names() []Name { return slices.Clone(names) }

// Known says whether n is one of the limits.
func (n Name) Known() bool { return slices.Contains(names, n) }

// OverrideOnly says whether no CA has the limit but where it grants it to an account.
func (n Name) OverrideOnly() bool { return n == CertificatesPerRegisteredDomainPerAccount }

// AtRequest says whether the CA counts when it gets the request.
func (n Name) AtRequest() bool {
	return n == NewOrdersPerAccount || n == NewRegistrationsPerIP || n == NewRegistrationsPerIPv6Range
}

// atIssuance says whether the CA counts when it issues, and so later than the order, by an unknown time.
func (n Name) atIssuance() bool {
	return n.PerDomain() || n == CertificatesPerExactSet
}

// PerDomain says whether the limit counts certificates of a registered domain.
func (n Name) PerDomain() bool {
	return n == CertificatesPerRegisteredDomain || n == CertificatesPerRegisteredDomainPerAccount
}

func nameList() string {
	var all []string
	for _, n := range names {
		all = append(all, string(n))
	}
	return strings.Join(all, ", ")
}
