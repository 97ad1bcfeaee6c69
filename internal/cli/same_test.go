package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/doctor"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/suffix"
	"github.com/certpace/certpace/internal/vault"
)

// deployment is what the doctor looks at beside the fleet: all of it is well.
type deployment []inventory.Certificate

func (d deployment) EachCertificate(context.Context) iter.Seq2[inventory.Certificate, error] {
	return func(yield func(inventory.Certificate, error) bool) {
		for _, c := range d {
			if !yield(c, nil) {
				return
			}
		}
	}
}
func (deployment) WorkerPace(context.Context, string) (time.Duration, error) { return time.Second, nil }
func (deployment) Waiting(context.Context) (int, error)                      { return 0, nil }
func (deployment) Describe(context.Context, string) (issuer.Description, error) {
	return issuer.Description{}, nil
}
func (deployment) Locate(context.Context, inventory.DNS, []renew.Challenge) ([]renew.Record, error) {
	return nil, nil
}
func (deployment) Permit(context.Context, []string, []string) error { return nil }

// noSecrets is a vault that may not be listed: what the doctor says of secrets is no matter here.
type noSecrets struct{ doctor.Secrets }

func (noSecrets) EachCertificate(context.Context) iter.Seq2[vault.Listed, error] {
	return func(yield func(vault.Listed, error) bool) { yield(vault.Listed{}, fmt.Errorf("denied")) }
}
func (noSecrets) EachPending(context.Context) iter.Seq2[vault.Pending, error] {
	return func(yield func(vault.Pending, error) bool) { yield(vault.Pending{}, fmt.Errorf("denied")) }
}

// variety is a fleet with a certificate in each state that a table can have.
func variety(now time.Time) (fleet deployment) {
	reasons := append(reason.Planning(), reason.Failing()...)
	reasons = append(reasons, "")
	for _, r := range reasons {
		for _, how := range []string{"in-use", "near", "ended", "never", "held", "off"} {
			c := inventory.Certificate{Name: fmt.Sprintf("%s-%s", how, r), Rev: 1, Wanted: inventory.Wanted{
				Domains: []string{"a.example"}, KeyType: inventory.EC256, Directory: "https://ca.example/d", Enabled: how != "off", Since: now.Add(-time.Hour),
			}}
			left := map[string]time.Duration{"in-use": 50 * 24 * time.Hour, "near": time.Hour, "ended": -time.Hour, "held": 50 * 24 * time.Hour, "off": 50 * 24 * time.Hour}[how]
			if how != "never" {
				c.InUse = &inventory.InUse{Domains: c.Wanted.Domains, KeyType: inventory.EC256, Directory: c.Wanted.Directory, NotBefore: now.Add(left - 90*24*time.Hour), NotAfter: now.Add(left), RenewAt: now.Add(left / 2)}
			}
			c.Status = inventory.Status{Reason: r, Message: "because of " + string(r), Due: now.Add(40 * time.Minute), Start: now.Add(5 * time.Minute)}
			for _, f := range reason.Failing() {
				if f == r {
					c.Status.Failures, c.Status.NextAttempt = 1, now.Add(100*time.Minute)
				}
			}
			if how == "held" {
				c.Status.Issuance = "k"
			}
			fleet = append(fleet, c)
		}
	}
	return fleet
}

// Whatever a certificate's state: status as a table and as JSON, the report and the doctor say the
// same of it.
func TestEveryVerbSaysTheSameOfACertificate(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	fleet := variety(now)
	page := newReport(now, 13)
	told := map[string]doctor.Finding{}
	d := &doctor.Doctor{Fleet: fleet, Backlog: fleet, Secrets: noSecrets{}, CAs: fleet, DNS: fleet, Now: now}
	for _, f := range d.Examine(t.Context(), nil) {
		if f.Check == "certificates" {
			told[f.Subject] = f
		}
	}
	words, renewals := map[string]int{}, 0
	for _, c := range fleet {
		page.add(c)
		row, x := statusRow(c, now), statusOf(c, now)
		state := row[2].(string)
		if c.Wanted.Enabled {
			words[state]++
			if x.NextAttempt != nil {
				renewals++
			}
		}
		if got := string(x.Reason); got != state && !(got == "" && state == "new") {
			t.Errorf("%s: the table says %s, JSON %s", c.Name, state, got)
		}
		if row[5] != x.Message {
			t.Errorf("%s: the table says %q, JSON %q", c.Name, row[5], x.Message)
		}
		if next := row[4].(string); next != "-" && (x.NextAttempt == nil || next != moment(*x.NextAttempt)) || next == "-" && x.NextAttempt != nil {
			t.Errorf("%s: next is %s, and in JSON %v", c.Name, next, x.NextAttempt)
		}
		if x.NextAttempt != nil && x.NextAttempt.Before(now) && c.Need(now).At.After(now) {
			t.Errorf("%s: what comes next was at %s", c.Name, x.NextAttempt)
		}
		f, ill := told[c.Name]
		if !ill {
			continue
		}
		if f.Reason != x.Reason || !sameTime(f.NextAttempt, x.NextAttempt) || !sameTime(f.NotAfter, x.NotAfter) || !strings.HasSuffix(f.Message, x.Message) && x.Message != "" {
			t.Errorf("%s: the doctor says %s %v %v %q; status %s %v %v %q", c.Name, f.Reason, f.NextAttempt, f.NotAfter, f.Message, x.Reason, x.NextAttempt, x.NotAfter, x.Message)
		}
	}
	if fmt.Sprint(page.States) != fmt.Sprint(words) {
		t.Errorf("the report counts %v, status %v", page.States, words)
	}
	sum := 0
	for _, w := range page.Weeks {
		sum += w.Renewals
	}
	if sum != renewals || len(told) < len(fleet)/3 {
		t.Errorf("the report has %d renewals, status %d; the doctor names %d of %d", sum, renewals, len(told), len(fleet))
	}
}

// What plan shows is what status shows once the tick is over.
func TestPlanSaysWhatStatusWillSay(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	const ca = "https://ca.example/d"
	full := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "full.example"}
	fleet := variety(now)
	for i := range fleet {
		fleet[i].Shard, fleet[i].Wanted.Domains = "0", []string{fmt.Sprintf("c%d.%s.example", i, []string{"a", "full"}[i%2])}
		if fleet[i].InUse != nil {
			fleet[i].InUse.Domains, fleet[i].InUse.Serial = fleet[i].Wanted.Domains, fmt.Sprint(i)
		}
		if i%3 > 0 {
			fleet[i].Status.Due = now
		}
	}
	limits := budget.LetsEncrypt()
	decided := plan.Decide(plan.Input{
		Now: now, Tick: 15 * time.Minute, Shard: "0", Share: 0.8, Pace: plan.Pace{PerIssuance: 20 * time.Second, AtLeast: 1}, Certificates: fleet,
		CAs: map[string]plan.CA{ca: {Host: "ca.example", Limits: limits}}, Registered: suffix.RegisteredDomains,
		Have: map[budget.Key]budget.Bucket{full: budget.BucketAt(now.Add(limits[full.Limit].Refill()).UnixNano())},
	})
	seen := map[reason.Reason]int{}
	for i := range decided.Outcomes {
		o := &decided.Outcomes[i]
		x, c := plannedOf(decided, o), decided.Record(*o)
		s := statusOf(c, now)
		seen[x.Reason]++
		if x.Reason != s.Reason || x.Message != s.Message || x.Limit != s.Limit || x.LimitKey != s.LimitKey || !sameTime(x.NotAfter, s.NotAfter) || !sameTime(x.NextAttempt, s.NextAttempt) {
			t.Errorf("%s: plan says %s %q %v %v, status %s %q %v %v", x.Certificate, x.Reason, x.Message, x.NextAttempt, x.NotAfter, s.Reason, s.Message, s.NextAttempt, s.NotAfter)
		}
		if o.Sends() && o.Start.After(now) && !sameTime(x.Start, s.NextAttempt) {
			t.Errorf("%s: the job starts at %v, and status says %v", x.Certificate, x.Start, s.NextAttempt)
		}
		if x.NextAttempt != nil && x.NextAttempt.Before(now) {
			t.Errorf("%s: %s, and what comes next was at %s", x.Certificate, x.Reason, x.NextAttempt)
		}
	}
	for _, r := range []reason.Reason{reason.Scheduled, reason.Budget, reason.Disabled, reason.NotDue, reason.WorkerFull} {
		if seen[r] == 0 {
			t.Errorf("nothing is %s: %v", r, seen)
		}
	}
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// The doctor's table has what its JSON has.
func TestAFindingIsPrintedWhole(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	f := doctor.Finding{Check: "certificates", Subject: "www", State: doctor.Fail, Message: "no zone", Reason: reason.ZoneNotFound, NotAfter: &now, NextAttempt: &now, Act: "create it"}
	if text := tabular(table.Row{"state", "check", "of", "ends", "found", "do"}, []table.Row{findingRow(f)}); !strings.Contains(text, "fail   certificates  www  2026-12-01 09:30:00Z  no zone  create it") {
		t.Error(text)
	}
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(f); err != nil || !strings.Contains(out.String(), `"act":"create it"`) || !strings.Contains(out.String(), `"reason":"zone-not-found"`) {
		t.Error(out.String(), err)
	}
}
