package cli

import (
	"regexp"
	"testing"

	"github.com/certpace/certpace/internal/budget"
)

// What a refused argument of budgets set tells to write is taken.
func TestHintsOfBudgetsWorkWhenFollowed(t *testing.T) {
	for _, row := range []struct {
		limit budget.Name
		wrong string
		hint  string
	}{
		{budget.CertificatesPerRegisteredDomain, "www.example.com", `under (\S+), so give that$`},
		{budget.CertificatesPerRegisteredDomain, "-", `such as (\S+), in lower case$`},
		{budget.NewOrdersPerAccount, "7", `; write (\S+)$`},
		{budget.FailedAuthorizations, "7", `; write (\S+), or`},
		{budget.FailedAuthorizations, "7 www.example.com", `or "(.+)" for one name$`},
		{budget.CertificatesPerExactSet, "no name", `all of its names as (\S+)$`},
	} {
		_, err := subjectOf(row.limit, row.wrong)
		if err == nil {
			t.Errorf("%s for %q is taken", row.limit, row.wrong)
			continue
		}
		m := regexp.MustCompile(row.hint).FindStringSubmatch(err.Error())
		if m == nil {
			t.Errorf("%s for %q: nothing to follow in %v", row.limit, row.wrong, err)
			continue
		}
		if _, err := subjectOf(row.limit, m[1]); err != nil {
			t.Errorf("%s for %q, as it was told: %v", row.limit, m[1], err)
		}
	}
}
