package inventory_test

import (
	"testing"

	"github.com/certpace/certpace/internal/inventory"
)

func TestStaging(t *testing.T) {
	const staging = "https://acme-staging-v02.api.letsencrypt.org/directory"
	for name, tc := range map[string]struct{ directory, want string }{
		"Let's Encrypt has one":                 {"https://acme-v02.api.letsencrypt.org/directory", staging},
		"however its host is spelt":             {"https://ACME-v02.api.letsencrypt.org:443/directory", staging},
		"staging itself is rehearsed nowhere":   {staging, ""},
		"another CA has none that is known":     {"https://acme.zerossl.com/v2/DV90", ""},
		"a host that only begins alike is none": {"https://acme-v02.api.letsencrypt.org.example/directory", ""},
		"nor is what isn't a URL":               {"://", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := inventory.Staging(tc.directory); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
