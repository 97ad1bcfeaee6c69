package app

import (
	"regexp"
	"strings"
	"testing"
)

// What a fault of the environment tells to write is taken.
func TestHintsWorkWhenFollowed(t *testing.T) {
	follow := map[string]*regexp.Regexp{
		"CERTPACE_ACME_DIRECTORY=http://ca.example/d": regexp.MustCompile(`Let's Encrypt's is (\S+)$`),
		"CERTPACE_DNS_RESOLVERS=10.0.0.2":             regexp.MustCompile(`write for example (\S+)$`),
		"CERTPACE_ACME_RATE=fast":                     regexp.MustCompile(`between (\S+) and \S+$`),
		"CERTPACE_ACME_RATE=1000":                     regexp.MustCompile(`and (\S+)$`),
	}
	for wrong, hint := range follow {
		_, err := Load(environ(wrong), Functions)
		if err == nil {
			t.Errorf("%s is taken", wrong)
			continue
		}
		m := hint.FindStringSubmatch(err.Error())
		if m == nil {
			t.Errorf("%s: nothing to follow in %v", wrong, err)
			continue
		}
		name, _, _ := strings.Cut(wrong, "=")
		if _, err := Load(environ(name+"="+m[1]), Functions); err != nil {
			t.Errorf("%s=%s, as it was told: %v", name, m[1], err)
		}
	}
	_, err := Load(environ("CERTPACE_TABEL=x"), Functions)
	_, names, _ := strings.Cut(err.Error(), "the names are ")
	for name := range strings.SplitSeq(names, ", ") {
		if _, err := Load(environ(name+"=\x00"), Functions); err != nil && strings.Contains(err.Error(), "unknown") {
			t.Errorf("%s, which it named: %v", name, err)
		}
	}
}
