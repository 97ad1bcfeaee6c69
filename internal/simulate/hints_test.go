package simulate

import (
	"regexp"
	"strings"
	"testing"
)

// What a fault of a scenario tells to write is taken there.
func TestHintsWorkWhenFollowed(t *testing.T) {
	const (
		start = "start: 2026-12-01T01:00:00+01:00"
		limit = "new-orders-per-account: {burst: 10000, count: 10000, period: 3h}"
	)
	for _, row := range []struct{ was, wrong, before, after, hint string }{
		{start, "", "start: ", "", `such as (\S+)$`},
		{start, "start: tomorrow", "start: ", "", `such as (\S+)$`},
		{"duration: 2160h", "", "duration: ", "", `such as (\S+)$`},
		{"duration: 2160h", "duration: 90d", "duration: ", "", `or (\S+)$`},
		{"tick: 10m", "tick: 1h", "tick: ", "", `between \S+ and (\S+); give`},
		{"validation: 0.02", "validation: 2%", "validation: ", "", `such as (\S+)$`},
		{"certificates: 12", "certificates: many", "certificates: ", "", `from (\d+) to`},
		{"limits: letsencrypt", "limits: lets", "limits: ", "", `use one of \[(\S+)`},
		{limit, "new-orders: {burst: 1, count: 1, period: 3h}", "", ": {burst: 10000, count: 10000, period: 3h}", `use one of \[(\S+)`},
		{"burst: 10000, count: 10000, period: 3h", "burst: 1, count: 1, period: often", "burst: 1, count: 1, period: ", "", `such as (\S+)$`},
	} {
		_, err := Parse(strings.NewReader(strings.Replace(whole, row.was, row.wrong, 1)))
		if err == nil {
			t.Errorf("%q is taken", row.wrong)
			continue
		}
		m := regexp.MustCompile(row.hint).FindStringSubmatch(err.Error())
		if m == nil {
			t.Errorf("%q: nothing to follow in %v", row.wrong, err)
			continue
		}
		told := row.before + strings.TrimSuffix(m[1], "]") + row.after
		if _, err := Parse(strings.NewReader(strings.Replace(whole, row.was, told, 1))); err != nil {
			t.Errorf("%q, as it was told: %v", told, err)
		}
	}
}
