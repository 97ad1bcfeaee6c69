package doctor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/doctor"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
)

// ailing is www under another name, with something in its way.
func ailing(name string, ends time.Duration, r reason.Reason, message string, failures int) inventory.Certificate {
	c := www()
	c.Name, c.InUse.NotAfter = name, now.Add(ends)
	c.InUse.NotBefore = c.InUse.NotAfter.Add(-90 * day)
	c.Status.Reason, c.Status.Message, c.Status.Failures, c.Status.NextAttempt = r, message, failures, now.Add(time.Hour)
	c.Status.Due = c.Status.NextAttempt
	return c
}

func TestEachCertificateHasItsOwnMessageEndAndAct(t *testing.T) {
	p := healthy()
	p.fleet = []inventory.Certificate{
		ailing("later", 40*day, reason.ZoneNotFound, "no zone for later.example", 2),
		ailing("ended", -time.Hour, reason.ZoneNotFound, "no zone for ended.example", 9),
		ailing("near", 2*day, reason.ZoneNotFound, "no zone for near.example", 9),
		ailing("paused", 30*day, reason.AccountPaused, "the CA paused this account", 0),
		ailing("fine", 60*day, reason.NotDue, "issued", 0),
	}
	for _, c := range p.fleet {
		p.secrets = append(p.secrets, c.Name)
	}
	var got []doctor.Finding
	for _, f := range p.examine() {
		if f.Check == "certificates" && f.Subject != "" {
			got = append(got, f)
		}
	}
	if len(got) != 4 {
		t.Fatalf("%d findings: %+v", len(got), got)
	}
	for i, want := range []struct {
		name  string
		state doctor.State
		says  string
		act   string
	}{
		{"ended", doctor.Fail, "it ended at 2026-12-01T08:00:00Z: no zone for ended.example", "`certpace reissue ended`"},
		{"near", doctor.Fail, "it ends at 2026-12-03T09:00:00Z, and its successor may not be there by then: no zone for near.example", "`certpace reissue near`"},
		{"paused", doctor.Fail, "the CA paused this account", "`certpace budgets resume paused`"},
		{"later", doctor.Warn, "no zone for later.example", "`certpace reissue later`"},
	} {
		f := got[i]
		if f.Subject != want.name || f.State != want.state || f.Message != want.says || !strings.Contains(f.Act, want.act) || strings.Contains(f.Act, "NAME") {
			t.Errorf("%d: %+v", i, f)
		}
		c := p.fleet[slices.IndexFunc(p.fleet, func(c inventory.Certificate) bool { return c.Name == f.Subject })]
		if f.NotAfter == nil || !f.NotAfter.Equal(c.InUse.NotAfter) || f.Reason != c.Status.Reason || f.NextAttempt == nil || !f.NextAttempt.Equal(c.Status.NextAttempt) {
			t.Errorf("%+v", f)
		}
	}
}

func TestWithANameOnlyItsOwnIsExamined(t *testing.T) {
	p := healthy()
	p.fleet = append(p.fleet, ailing("other", time.Hour, reason.ZoneNotFound, "no zone for other.example", 9))
	p.fleet[1].Wanted.Directory, p.fleet[1].Wanted.Fallback = "https://third.example/directory", nil // which doesn't answer
	for _, f := range p.examine("www") {
		if f.State != doctor.OK || strings.Contains(strings.ReplaceAll(f.Subject+f.Message, second, ""), "other") || strings.Contains(f.Subject, "third") {
			t.Errorf("%+v", f)
		}
	}
	said := map[string]bool{}
	for _, f := range p.examine() {
		said[f.Check+" "+f.Subject+" "+string(f.State)] = true
	}
	for _, want := range []string{"certificates other fail", "ca https://third.example/directory fail", "secrets  fail"} {
		if !said[want] {
			t.Errorf("without a name it doesn't say %q: %v", want, said)
		}
	}
	p.cas["https://third.example/directory"] = issuer.Description{Profiles: []string{"classic"}}
	if all := p.examine("other"); doctor.Failed(all) != 2 { // itself and its secret
		t.Errorf("%+v", all)
	}
}

func TestEveryReasonHasAnAct(t *testing.T) {
	for _, r := range append(append(reason.Planning(), reason.Failing()...), "") {
		p := healthy()
		p.fleet = []inventory.Certificate{ailing("www", time.Hour, r, "", 1)}
		for _, f := range p.examine() {
			if f.Check == "certificates" && f.Subject == "www" && f.Act == "" {
				t.Errorf("nothing to do about %q: %+v", r, f)
			}
		}
	}
}

// What only waits for a turn that comes in time is in no danger, and what has one after its end is,
// however far that is.
func TestTheDoctorJudgesByTheRuleOfEveryWarning(t *testing.T) {
	for name, tc := range map[string]struct {
		ends, turn time.Duration
		state      doctor.State
		act        string
	}{
		"a turn in time, near the end":  {2 * day, time.Hour, doctor.OK, ""},
		"a turn after an end far ahead": {20 * day, 23 * day, doctor.Fail, "`certpace budgets set certificates-per-registered-domain --for example.com`"},
	} {
		t.Run(name, func(t *testing.T) {
			c := ailing("www", tc.ends, reason.Budget, "no room", 0)
			c.Status.Due, c.Status.Turn = now.Add(time.Hour), now.Add(tc.turn)
			c.Status.Limit, c.Status.LimitKey = "certificates-per-registered-domain", "example.com"
			p := healthy()
			p.fleet = []inventory.Certificate{c}
			state, act := doctor.OK, ""
			for _, f := range p.examine() {
				if f.Subject == "www" && f.Check == "certificates" {
					state, act = f.State, f.Act
				}
			}
			if state != tc.state || !strings.Contains(act, tc.act) || c.Endangered(now) != (state == doctor.Fail) {
				t.Errorf("%s: %s", state, act)
			}
		})
	}
}
