package entry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
)

func TestLimitSet(t *testing.T) {
	own := budget.Limit{Burst: 1, Count: 1, Period: time.Hour}
	t.Run("what is in force is the set, and over it the overrides", func(t *testing.T) {
		for name, tc := range map[string]struct {
			set  entry.LimitSet
			want budget.Limits
		}{
			"nothing said":   {entry.LimitSet{}, budget.LetsEncrypt()},
			"a set":          {entry.LimitSet{Name: budget.SetNone}, budget.Limits{}},
			"a set and more": {entry.LimitSet{Name: budget.SetNone, Overrides: budget.Limits{budget.NewOrdersPerAccount: own}}, budget.Limits{budget.NewOrdersPerAccount: own}},
			"only overrides": {entry.LimitSet{Overrides: budget.Limits{budget.NewOrdersPerAccount: own}}, budget.LetsEncrypt().With(budget.Limits{budget.NewOrdersPerAccount: own})},
		} {
			if diff := cmp.Diff(tc.want, tc.set.InForce("https://ca.example/directory")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
	t.Run("the CA's host alone chooses the same set as its directory", func(t *testing.T) {
		for _, directory := range []string{
			"https://acme-v02.api.letsencrypt.org/directory", "https://acme-staging-v02.api.letsencrypt.org/directory", "https://127.0.0.1:14000/dir",
		} {
			ca, err := entry.CAOf(directory)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(entry.LimitSet{}.InForce(directory), entry.LimitSet{}.InForce(entry.DirectoryOf(ca))); diff != "" {
				t.Errorf("%s: %s", directory, diff)
			}
			if err := entry.ValidCA(ca); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a fault is named with its limit and a fix", func(t *testing.T) {
		err := entry.CheckLimits("ca.example", entry.LimitSet{Name: "x", Overrides: budget.Limits{budget.NewOrdersPerAccount: {Burst: 1, Count: 1}}})
		for _, part := range []string{`"x"`, "letsencrypt-staging", "new-orders-per-account", "period"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v doesn't say %s", err, part)
			}
		}
	})
}
