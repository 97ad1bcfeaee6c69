package cli

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// While an invocation holds a certificate, what is recorded is of the time before: a start that is over is no news of what comes next.
func TestStatusOfWhatIsUnderWay(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	c := inventory.Certificate{Name: "www", Wanted: inventory.Wanted{Domains: []string{"www.example.com"}, Enabled: true}}
	c.Status.Reason, c.Status.Message, c.Status.Start = reason.Scheduled, "a job starts at noon", now.Add(-time.Minute)
	c.Status.Issuance, c.Status.Due = "held", now.Add(30*time.Second)
	if row := statusRow(c, now); row[2] != string(reason.InProgress) || row[4] != "2026-12-01 12:00:30Z" || row[5] == c.Status.Message {
		t.Errorf("under way it is %v", row)
	}
	if row := statusRow(c, now.Add(time.Minute)); row[2] != string(reason.Scheduled) || row[5] != c.Status.Message {
		t.Errorf("once its time is over it is %v", row)
	}
}

// A job that is still to start holds nothing, though an issuance is open since an earlier attempt.
func TestStatusOfWhatIsOnlyScheduled(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	c := inventory.Certificate{Name: "www", Wanted: inventory.Wanted{Domains: []string{"www.example.com"}, Enabled: true}}
	c.Status.Reason, c.Status.Message, c.Status.Start = reason.Scheduled, "a job starts at noon", now.Add(5*time.Minute)
	c.Status.Issuance, c.Status.Due = "open since an earlier attempt", now.Add(35*time.Minute)
	if row := statusRow(c, now); row[2] != string(reason.Scheduled) || row[5] != c.Status.Message {
		t.Errorf("it is %v", row)
	}
}
