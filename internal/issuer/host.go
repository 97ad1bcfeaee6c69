package issuer

import (
	"fmt"
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
