package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// Entry is one certificate of a fleet file.
type Entry struct {
	Name    string   `json:"name"`
	Domains []string `json:"domains"`
	KeyType string   `json:"key_type,omitempty"`
	CSR     string   `json:"csr,omitempty"`
	ACM     []Import `json:"acm,omitempty"`
	Profile string   `json:"profile,omitempty"`
	Chain   string   `json:"preferred_chain,omitempty"`

	Fallback *Fallback `json:"fallback,omitempty"`
}

// Import is where in ACM a certificate is imported.
type Import struct {
	ARN string `json:"arn"`
}

// Fallback is the second CA of one.
type Fallback struct {
	Directory string `json:"acme_directory"`
}

// Fleet writes a fleet file.
func Fleet(entries ...Entry) string {
	file, err := json.Marshal(map[string][]Entry{"certificates": entries})
	if err != nil {
		panic(err) // a list of strings always encodes
	}
	return string(file)
}

// Certpace runs the command line and fails the test unless it says that it did what it was asked for.
func (w *World) Certpace(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	c, err := w.CLI(context.Background(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	if c.Code != 0 {
		t.Fatalf("certpace %s: exit %d\n%s%s", strings.Join(args, " "), c.Code, c.Stdout, c.Stderr)
	}
	return c.Stdout
}

// Apply takes a fleet file over, by the command line.
func (w *World) Apply(t testing.TB, entries ...Entry) {
	t.Helper()
	w.Certpace(t, Fleet(entries...), "apply", "-f", "-")
}

// MakeZone makes a hosted zone.
func (w *World) MakeZone(t testing.TB, name string) (id string) {
	t.Helper()
	id, err := w.Zone(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Status is what certpace status prints of a certificate, field by field.
type Status struct {
	Certificate string        `json:"certificate"`
	Shard       string        `json:"shard"`
	Domains     []string      `json:"domains"`
	Enabled     bool          `json:"enabled"`
	Reason      reason.Reason `json:"reason"`
	Message     string        `json:"message"`
	Limit       string        `json:"limit"`
	LimitKey    string        `json:"limit_key"`
	Failures    int           `json:"failures"`
	NextAttempt *time.Time    `json:"next_attempt"`
	InProgress  bool          `json:"in_progress"`
	Serial      string        `json:"serial"`
	NotAfter    *time.Time    `json:"not_after"`
	RenewAt     *time.Time    `json:"renew_at"`
	KeyType     string        `json:"key_type"`
	Directory   string        `json:"acme_directory"`
	Fallback    string        `json:"fallback"`
	Unpause     string        `json:"unpause"`
	SecretARN   string        `json:"secret_arn"`
	VersionID   string        `json:"version_id"`
	Followups   []Followup    `json:"followups"`
}

// Followup is what certpace status prints of something that is owed beside an order, field by field.
type Followup struct {
	Kind        string        `json:"kind"`
	Serial      string        `json:"serial"`
	Revocation  string        `json:"revocation_reason"`
	ARN         string        `json:"arn"`
	Failures    int           `json:"failures"`
	Reason      reason.Reason `json:"reason"`
	Message     string        `json:"message"`
	NextAttempt *time.Time    `json:"next_attempt"`
}

// Status asks certpace status about one certificate.
func (w *World) Status(t testing.TB, name string) Status {
	t.Helper()
	return only[Status](t, w.Certpace(t, "", "status", "-o", "json", name))
}

// Planned is what certpace plan prints of a certificate, field by field.
type Planned struct {
	Certificate string        `json:"certificate"`
	Reason      reason.Reason `json:"reason"`
	Message     string        `json:"message"`
	JobReason   string        `json:"job_reason"`
	Start       *time.Time    `json:"start"`
	Limit       string        `json:"limit"`
	LimitKey    string        `json:"limit_key"`
	Until       *time.Time    `json:"until"`
	NextAttempt *time.Time    `json:"next_attempt"`
	NotAfter    *time.Time    `json:"not_after"`
	Directory   string        `json:"acme_directory"`
	Fallback    string        `json:"fallback"`
}

// DryRun is what certpace plan prints, by certificate.
func (w *World) DryRun(t testing.TB) map[string]Planned {
	t.Helper()
	all := map[string]Planned{}
	for _, p := range decoded[Planned](t, w.Certpace(t, "", "plan", "-o", "json")) {
		all[p.Certificate] = p
	}
	return all
}

// Refused is what certpace status --messages prints of a message, field by field.
type Refused struct {
	ID      string        `json:"id"`
	At      time.Time     `json:"at"`
	Reason  reason.Reason `json:"reason"`
	Message string        `json:"message"`
	Body    string        `json:"body"`
}

// RefusedMessages are the messages that certpace status says were refused, by id.
func (w *World) RefusedMessages(t testing.TB) map[string]Refused {
	t.Helper()
	all := map[string]Refused{}
	for _, r := range decoded[Refused](t, w.Certpace(t, "", "status", "--messages", "-o", "json")) {
		all[r.ID] = r
	}
	return all
}

// decoded reads a list that the command line printed. A field that isn't known here is a change of contract.
func decoded[T any](t testing.TB, text string) (list []T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatalf("reading what certpace printed: %v: %s", err, text)
	}
	return list
}

func only[T any](t testing.TB, text string) T {
	t.Helper()
	list := decoded[T](t, text)
	if len(list) != 1 {
		t.Fatalf("certpace printed %d entries instead of one: %s", len(list), text)
	}
	return list[0]
}

// Ticked is what a tick said that it did.
type Ticked = plan.Summary

// RunTick runs the planner once, with the shortest tick there is, so that nothing waits on the queue.
func (w *World) RunTick(t testing.TB) (s Ticked) {
	t.Helper()
	result, err := w.Tick(context.Background(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(result.Payload, &s); err != nil {
		t.Fatalf("reading the tick's summary: %v: %s", err, result.Payload)
	}
	return s
}

// entry is a certificate as the table has it. Tests use it to wait only; what they hold comes from outside.
func (w *World) entry(t testing.TB, name string) inventory.Certificate {
	t.Helper()
	c, err := w.Table.Certificate(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// AwaitReason waits until the worker or the planner left a certificate with a reason, and nothing is under way for it.
func (w *World) AwaitReason(t testing.TB, name string, r reason.Reason) {
	t.Helper()
	last := reason.Reason("")
	for end := time.Now().Add(patience); ; time.Sleep(lookEvery) {
		c := w.entry(t, name)
		if last = c.Status.Reason; last == r {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s to become %s; it is %s: %s", patience, name, r, last, c.Status.Message)
		}
	}
}

// AwaitIssued waits until a version other than the given one is in use and its issuance is closed. An empty serial is none.
func (w *World) AwaitIssued(t testing.TB, name, other string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(lookEvery) {
		c := w.entry(t, name)
		if c.InUse != nil && c.InUse.Serial != other && c.Status.Issuance == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s to be issued: %s: %s", patience, name, c.Status.Reason, c.Status.Message)
		}
	}
}

// Issue applies certificates and has them issued by a tick.
func (w *World) Issue(t testing.TB, entries ...Entry) {
	t.Helper()
	w.Apply(t, entries...)
	w.RunTick(t)
	for _, e := range entries {
		w.AwaitIssued(t, e.Name, "")
	}
}

// EventsOf lists the events of a certificate that were on the bus so far, the oldest first. Each
// must carry the deployment's name.
func (w *World) EventsOf(t testing.TB, certificate string) (of []lab.Event) {
	t.Helper()
	more, err := w.TakeEvents(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, more...)
	for _, e := range w.events {
		if e.Detail.Deployment != w.TableName {
			t.Errorf("an event of deployment %q is on the bus of %s: %+v", e.Detail.Deployment, w.TableName, e)
		}
		if e.Detail.Certificate == certificate {
			of = append(of, e)
		}
	}
	return of
}

// LastEvent is the newest event of a certificate.
func (w *World) LastEvent(t testing.TB, certificate string) lab.Event {
	t.Helper()
	all := w.EventsOf(t, certificate)
	if len(all) == 0 {
		t.Fatal(fmt.Errorf("no event of %s was on the bus", certificate))
	}
	return all[len(all)-1]
}
