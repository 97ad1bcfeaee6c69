package demo

import (
	"fmt"
	"strings"
)

// fleet is what the demo applies: every shape that a real fleet has, one certificate that can't be issued, and one too many for a budget.
func fleet() string {
	var b strings.Builder
	b.WriteString("certificates:\n")
	add := func(name, domains, more string) {
		fmt.Fprintf(&b, "  - {name: %s, domains: [%s]%s}\n", name, domains, more)
	}
	add("www", "www.shop.test", "")
	add("legacy-www", "www.shop.test", ", key_type: rsa2048") // the same names, another key: never in flight together
	add("shop-wildcard", `shop.test, "*.shop.test"`, "")
	add("farm-42-names", strings.Join(farm(42), ", "), "")
	add("delegated", "app.partner.test", "") // _acme-challenge is a CNAME into another zone
	add("partner", "partner.test, www.partner.test", "")
	add("partner-api", "api.partner.test", "")
	add("api-p384", "api.bank.test", ", key_type: ec384")
	add("login-rsa", "login.bank.test", ", key_type: rsa3072")
	add("mail", "mail.bank.test, imap.bank.test, smtp.bank.test", "")
	add(deferred, "webmail.bank.test", "")
	add(broken, "www.nowhere.test", "")
	return b.String()
}

const (
	domainBurst = 4         // certificates of one registered domain that the demo's limit allows; of these one is kept for people
	deferred    = "webmail" // the fourth of bank.test
	broken      = "no-zone" // nowhere.test isn't in the DNS
)

func farm(n int) []string {
	names := make([]string, 0, n)
	for i := range n {
		names = append(names, fmt.Sprintf("h%02d.farm.test", i+1))
	}
	return names
}

// zones creates the fleet's zones: all but nowhere.test.
func (s *show) zones() error {
	ids := map[string]string{}
	for _, z := range []string{"shop.test", "farm.test", "partner.test", "validation.test", "bank.test"} {
		id, err := s.cloud.Zone(s, z)
		if err != nil {
			return err
		}
		ids[z] = id
	}
	return s.cloud.Point(s, ids["partner.test"], "_acme-challenge.app.partner.test", "app.validation.test")
}
