package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/store/storetest"
)

const tick = plan.LongestTick

// fleet is n certificates in the middle of their lives, of which the first few are the tick's.
type fleet struct {
	n, due int
	issued bool // what is due was just issued, and is to be given its place in the calendar; else its renewal begins
}

// certificates are entries as the planner and the worker leave them, with values as long as they are in life.
func (f fleet) certificates(shard string, now time.Time) []inventory.Certificate {
	const day, host = 24 * time.Hour, "https://acme-v02.api.letsencrypt.org/"
	cs := make([]inventory.Certificate, 0, f.n)
	for i := range f.n {
		name := fmt.Sprintf("service-%06d", i)
		domains := []string{name + ".example.com", "www." + name + ".example.com"}
		renewAt := now.Add(tick + time.Minute + time.Duration(i)*(59*day/time.Duration(f.n))).Truncate(time.Second)
		if i < f.due {
			renewAt = now.Add(time.Duration(i) * tick / time.Duration(f.due)).Truncate(time.Second)
		}
		c := inventory.Certificate{
			Name: name, Shard: shard,
			Wanted: inventory.Wanted{Domains: domains, KeyType: inventory.EC256, Directory: host + "directory", Enabled: true, Since: now.Add(-200 * day)},
			InUse: &inventory.InUse{
				Serial: fmt.Sprintf("04%034x", i), CertID: fmt.Sprintf("nytfzzwhT50Et-0rLMTGcIvS1w0.BAAA%044d", i), Issuer: "CN=E7,O=Let's Encrypt,C=US",
				NotBefore: renewAt.Add(-60 * day), NotAfter: renewAt.Add(30 * day), IssuedAt: renewAt.Add(-60 * day), Domains: domains, KeyType: inventory.EC256,
				Directory: host + "directory", Account: host + "acme/acct/1234567890",
				SecretARN: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:certpace/" + name + "-AbCdEf", VersionID: "5d1f1f1e-0000-4000-8000-000000000000",
				Window: &inventory.Window{Start: renewAt.Add(-day), End: renewAt.Add(day)}, RenewAt: renewAt,
			},
			Status: inventory.Status{
				Due: renewAt, Job: fmt.Sprintf("%032x", i), Start: renewAt.Add(-60 * day), Reason: reason.NotDue, Message: "not due before " + renewAt.Format(time.RFC3339), At: now.Add(-day),
			},
		}
		c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: renewAt.Truncate(time.Hour), Rate: 694_444}
		if i < f.due && f.issued {
			c.InUse.IssuedAt, c.InUse.NotBefore, c.InUse.NotAfter = now.Add(-time.Minute), now.Add(-time.Hour), now.Add(90*day-time.Hour)
			c.InUse.Window = &inventory.Window{Start: now.Add(59 * day), End: now.Add(61 * day)}
			c.InUse.RenewAt = c.InUse.ChooseRenewAt(name)
			c.Booked.Serial, c.Status.Due = "04", now
		}
		cs = append(cs, c)
	}
	return cs
}

// fill puts the fleet, its calendar and its watches into a table; the questions of six hours are spread over them, and those of one tick are due.
func (f fleet) fill(t testing.TB, s *store.Store, shard string, now time.Time) {
	t.Helper()
	var ps []plan.Placement
	for i, c := range f.certificates(shard, now) {
		u := c.InUse
		ps = append(ps, plan.Placement{Certificate: c, Watch: &plan.Watch{
			Certificate: c.Name, CertID: u.CertID, Directory: u.Directory, Issuer: u.Issuer, NotAfter: u.NotAfter, Window: u.Window,
			Asked: now.Add(-7 * time.Hour), Next: now.Add(-tick + time.Duration(i)*(6*time.Hour/time.Duration(f.n))).Truncate(time.Second),
		}})
	}
	if conflicts, err := s.Book(context.Background(), shard, ps); err != nil || conflicts != nil {
		t.Fatal(conflicts, err)
	}
	if err := s.SaveNotes(context.Background(), shard, plan.Notes{Listed: now}); err != nil { // else the ends are listed anew, once
		t.Fatal(err)
	}
}

// measured is one tick's bill over a table, and what the tick did.
func measured(t testing.TB, client store.Client, shard string, f fleet, info plan.RenewalInfo) (*meter, plan.Summary) {
	t.Helper()
	now := storetest.Noon()
	table := store.New(client, cloud.table, shard)
	f.fill(t, table, shard, now)
	m := newMeter(t, client)
	table = store.New(m, cloud.table, shard)
	p := planner(table, shard, now, info)
	s, err := p.Tick(context.Background(), tick)
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

func planner(table plan.Table, shard string, now time.Time, info plan.RenewalInfo) *plan.Planner {
	return &plan.Planner{
		Table: table, Queue: elsewhere{}, Backlog: elsewhere{}, Bus: elsewhere{}, RenewalInfo: info, Shard: shard, Now: func() time.Time { return now },
		RegisteredDomains: func(names []string) []string { return names[:1] }, CAHost: budget.CAHost, Share: 0.8,
		Pace: plan.Pace{PerIssuance: 4 * time.Second, AtLeast: 20, Batch: 20}, AskFor: 5 * time.Minute, AskAtOnce: 8, Log: slog.New(slog.DiscardHandler),
	}
}

// elsewhere is the queue, the bus, and a CA whose windows stay as they are.
type elsewhere struct{}

func (elsewhere) Send(context.Context, []plan.Message) ([]job.Job, error) { return nil, nil }
func (elsewhere) Waiting(context.Context) (int, error)                    { return 0, nil }
func (elsewhere) Publish(context.Context, ...event.Event) error           { return nil }
func (elsewhere) Rate(float64)                                            {}
func (elsewhere) Ask(context.Context, string, string) (plan.Answer, error) {
	return plan.Answer{RetryAfter: 6 * time.Hour}, nil
}

// sliceMost is what the reconcile slice may cost: 100 items, none of them above 2 KiB.
const sliceMost = 25

// A table that is twenty times as large costs the same request for request, and unit for unit; only what the slice's 100 items weigh is chance.
func TestATickCostsWhatIsDueNotWhatExists(t *testing.T) {
	for name, f := range map[string]fleet{"renewals": {due: 30}, "places": {due: 30, issued: true}} {
		t.Run(name, func(t *testing.T) {
			var bills []bill
			for _, f.n = range []int{100, 2_000} {
				m, s := measured(t, newMapped(t), inventory.DefaultShard, f, nil)
				if s.Considered != f.due || s.Scheduled+s.Placed != f.due {
					t.Fatalf("of %d certificates: %+v", f.n, s)
				}
				if m.bill.Slice > sliceMost {
					t.Errorf("of %d certificates: the slice cost %v units", f.n, m.bill.Slice)
				}
				m.bill.Slice = 0
				bills = append(bills, m.bill)
			}
			if f.issued { // the calendar's days are the same, but a larger fleet has more of its hours in use: 90 days of 24 at most
				if more := bills[1].Reads - bills[0].Reads; more < 0 || more > 15 {
					t.Errorf("%v units more", more)
				}
				bills[1].Reads = bills[0].Reads
				if more := math.Abs(bills[1].Writes - bills[0].Writes); more > 8 { // 30 places are two transactions, and in how many days those of each lie is chance
					t.Errorf("%v units written more, or less", more)
				}
				bills[1].Writes = bills[0].Writes
			}
			if diff := cmp.Diff(bills[0], bills[1]); diff != "" {
				t.Errorf("with 100 and with 2,000 certificates:\n%s", diff)
			}
			if n := bills[0].total(); n > 50 {
				t.Errorf("%d requests for %d: %v", n, f.due, bills[0].Requests)
			}
		})
	}
}

func TestAllThatIsDueIsReadOnce(t *testing.T) {
	f := fleet{n: 2_500, due: 2_500}
	m, s := measured(t, newMapped(t), inventory.DefaultShard, f, nil)
	entries := 0
	for pk, times := range m.read {
		if strings.Contains(pk, "#certificate#") {
			entries += times
			if times > 1 {
				t.Errorf("%s is read %d times", pk, times)
			}
		}
	}
	if entries != f.due || s.Considered != f.due || m.bill.Requests["Query"] > 5 { // pages of 1 MB
		t.Errorf("%d of %d are read: %+v, %v", entries, f.due, s, m.bill.Requests)
	}
}

// A question costs a read, of the entry that says whether the certificate is still in use, and a
// write, of what the CA said. The list of what is due to be asked is one query; nothing else is
// listed while no issuer is raised, since nobody is asked out of turn (docs/decisions/0047).
func TestAQuestionCostsOneWrite(t *testing.T) {
	for _, n := range []int{720, 2_000} {
		f := fleet{n: n, due: 30}
		without, _ := measured(t, newMapped(t), inventory.DefaultShard, f, nil)
		with, s := measured(t, newMapped(t), inventory.DefaultShard, f, elsewhere{})
		if want := n/24 + 1; s.Asked != want { // of six hours' questions those of a tick, and that of its first second
			t.Errorf("of %d certificates: %d asked, want %d", n, s.Asked, want)
		}
		want := maps.Clone(without.bill.Requests)
		want["GetItem"] += s.Asked
		want["PutItem"] += s.Asked
		want["Query"]++
		if diff := cmp.Diff(want, with.bill.Requests); diff != "" {
			t.Errorf("of %d certificates:\n%s", n, diff)
		}
	}
}

// The meter's bill doesn't come from the map that it reads: over the emulator's own table it is the same.
func TestTheBillIsTheSameOverTheEmulator(t *testing.T) {
	c, _ := client(t)
	for name, f := range map[string]fleet{"renewals": {n: 100, due: 30}, "places": {n: 100, due: 30, issued: true}} {
		t.Run(name, func(t *testing.T) {
			shard := storetest.Unique("s")
			here, _ := measured(t, newMapped(t), shard, f, elsewhere{})
			there, _ := measured(t, c, shard, f, elsewhere{})
			here.bill.Slice, there.bill.Slice = 0, 0 // the slice begins elsewhere, and the tests share the table
			if diff := cmp.Diff(there.bill, here.bill); diff != "" {
				t.Errorf("over the emulator (-) and over the map (+):\n%s", diff)
			}
		})
	}
}

// BenchmarkTick isn't about time: it prints what one tick asks of the table.
func BenchmarkTick(b *testing.B) {
	for _, kind := range []struct {
		name string
		f    fleet
		info plan.RenewalInfo
	}{
		{"30 renewals due", fleet{due: 30}, nil},
		{"30 to be placed", fleet{due: 30, issued: true}, nil},
		{"30 renewals due and windows asked for", fleet{due: 30}, elsewhere{}},
	} {
		for _, n := range []int{100, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				kind.f.n = n
				for range b.N {
					m, s := measured(b, newMapped(b), inventory.DefaultShard, kind.f, kind.info)
					for _, operation := range slices.Sorted(maps.Keys(m.bill.Requests)) {
						b.ReportMetric(float64(m.bill.Requests[operation]), operation)
					}
					b.ReportMetric(float64(m.bill.total()), "requests")
					b.ReportMetric(m.bill.Reads+m.bill.Slice, "RRU")
					b.ReportMetric(m.bill.Slice, "RRU-of-the-slice")
					b.ReportMetric(m.bill.Writes, "WRU")
					b.ReportMetric(float64(s.Asked), "asked")
				}
				b.ReportMetric(0, "ns/op") // mostly of the map
			})
		}
	}
}
