package budget

import (
	"fmt"
	"net/url"
	"strings"
)

// Key names one bucket. Two keys are the same bucket if and only if they are equal.
type Key struct {
	CA      string `json:"ca"` // host of the CA's directory, lower-case, with its port if it has one: limits of two CAs have nothing in common
	Limit   Name   `json:"limit"`
	Subject string `json:"subject"` // what is counted: see the limit's Name
}

// String is the key as one line of text: <CA>/<limit>/<subject>.
func (k Key) String() string { return k.CA + "/" + string(k.Limit) + "/" + k.Subject }

// Shared says whether the CA counts this bucket over all accounts, so that people who know nothing of us spend from it too.
func (k Key) Shared() bool {
	switch k.Limit {
	case CertificatesPerRegisteredDomain, CertificatesPerExactSet, NewRegistrationsPerIP, NewRegistrationsPerIPv6Range:
		return true
	}
	return false
}

// ParseKey reads what Key.String wrote.
func ParseKey(s string) (Key, error) {
	parts := strings.SplitN(s, "/", 3)
	if len(parts) != 3 || parts[0] == "" || parts[2] == "" {
		return Key{}, fmt.Errorf("budget key: %.300q is incomplete; write <CA host>/<limit>/<subject>", s)
	}
	k := Key{CA: parts[0], Limit: Name(parts[1]), Subject: parts[2]}
	if !k.Limit.Known() {
		return Key{}, fmt.Errorf("budget key: limit %.100q is unknown; use one of %s", parts[1], nameList())
	}
	return k, nil
}

// CAHost is the Key.CA of a directory URL.
func CAHost(directory string) (string, error) {
	u, err := url.Parse(directory)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("directory: %.300q is not a URL; give one such as https://acme-v02.api.letsencrypt.org/directory", directory)
	}
	return strings.ToLower(u.Host), nil
}

// FailureSubject is the subject of a name's failures with an account.
func FailureSubject(account, name string) string { return account + " " + strings.ToLower(name) }

// DomainSubject is the subject of a registered domain's certificates of one account.
func DomainSubject(account, domain string) string { return account + " " + strings.ToLower(domain) }

// AnyAddress is the subject of registrations: a Lambda doesn't know the address that it comes from, so one bucket stands for all.
const AnyAddress = "any"

// Failure splits the subject of a key of FailedAuthorizations or ConsecutiveFailures; ok is false for every other key.
func (k Key) Failure() (account, name string, ok bool) {
	if k.Limit != FailedAuthorizations && k.Limit != ConsecutiveFailures {
		return "", "", false
	}
	return strings.Cut(k.Subject, " ")
}
