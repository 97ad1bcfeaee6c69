package planning

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/metric"
	"github.com/certpace/certpace/internal/plan"
)

func TestATickWritesWhatEndsWhateverBecomesOfIt(t *testing.T) {
	for name, tc := range map[string]struct {
		summary plan.Summary
		err     error
		want    []string
		without []string
	}{
		"what ends, is in danger, wasn't taken and is switched off": {
			plan.Summary{Endangered: 3, Untaken: 2, SwitchedOff: 1, Least: &plan.Least{HoursToExpiry: 23.5, LifeLeftPercent: 7.25}}, nil,
			[]string{`"Endangered":3`, `"JobsUntaken":2`, `"SwitchedOff":1`, `"HoursToExpiry":23.5`, `"LifeLeftPercent":7.25`, `"TicksCompleted":1`}, nil,
		},
		"a tick that fails behind that": {
			plan.Summary{Least: &plan.Least{HoursToExpiry: -2, LifeLeftPercent: -1}}, errors.New("no queue"),
			[]string{`"HoursToExpiry":-2`, `"LifeLeftPercent":-1`}, []string{"TicksCompleted"},
		},
		"what isn't known is missing, and not well": {plan.Summary{}, nil, []string{`"Endangered":0`}, []string{"HoursToExpiry", "LifeLeftPercent"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			count(metric.New(&out, time.Now, "certpace", "0"), tc.summary, tc.err)
			for _, w := range tc.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %s in %s", w, out.String())
				}
			}
			for _, w := range tc.without {
				if strings.Contains(out.String(), w) {
					t.Errorf("%s in %s", w, out.String())
				}
			}
		})
	}
}
