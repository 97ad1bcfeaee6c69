package issuer

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/certpace/certpace/internal/budget"
)

// CAHost names the CA of a directory URL, the same in budget keys and claims everywhere: see budget.CAHost. It fails for
// what can't be an ACME directory, with a message that says what to write instead.
func CAHost(directory string) (string, error) {
	u, err := url.Parse(directory)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("acme_directory: %.300q is not an https URL; write one such as https://acme-v02.api.letsencrypt.org/directory", directory)
	}
	return budget.CAHost(directory)
}

// secretName spells a CA's host for the AccountStore: a secret's name has no colon, so the port follows a plus sign.
func secretName(caHost string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '+'
	}, caHost)
}

// hostOf is the host of a directory URL, by which a CA's line goes; empty for what is no URL.
func hostOf(directory string) string {
	u, err := url.Parse(directory)
	if err != nil {
		return ""
	}
	return u.Host
}

// strays says whether a CA that is reached by a public name sends us to an address inside of our
// own network. Any other host is the CA's to choose (RFC 8555 names none): a signed request holds
// nothing but what it asks, and is good for that one URL.
func strays(ca string, to *url.URL) bool {
	own := (&url.URL{Host: ca}).Hostname()
	return ca != "" && !strings.EqualFold(own, to.Hostname()) && inside(to.Hostname()) && !inside(own)
}

// inside says whether a host can only be one of our own network.
func inside(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()
	}
	return !strings.Contains(strings.TrimSuffix(host, "."), ".") || strings.EqualFold(host, "localhost")
}
