package doctor

import (
	"strings"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// acts are what somebody should do about a certificate, by where it stands. docs/operations.md has
// the same at length.
var acts = map[reason.Reason]string{
	"": "see whether the planner ticks: its schedule, and its log",

	reason.Scheduled:      "see whether the worker takes jobs: its event source mapping, and its log",
	reason.NotDue:         "`certpace reissue NAME` orders at once",
	reason.InProgress:     "it goes on by itself; `certpace reissue NAME` where it doesn't",
	reason.WorkerFull:     "`certpace reissue NAME` goes before what is planned",
	reason.Budget:         "`certpace budgets` shows what is left; `certpace reissue NAME` may take what is kept for people; ask the CA for an override",
	reason.Backoff:        "it is tried again by itself; `certpace reissue NAME` tries at once",
	reason.RecentlyIssued: "`certpace reissue --force NAME` where it can't wait",
	reason.CACooling:      "it is tried again by itself",
	reason.AccountPaused:  "mend what failed, unpause the names at the CA (`certpace status NAME` has its link), then `certpace budgets resume NAME`",
	reason.Disabled:       "enable it in the fleet file, and apply that",
	reason.Invalid:        "mend what the message names",

	reason.CAUnavailable:    "it is tried again by itself; see the CA's status page, and whether the worker reaches the internet",
	reason.CARefused:        "read the CA's words, change what the fleet file asks for, and apply it",
	reason.RateLimited:      "it is tried again by itself; find out who else spends this limit, and give certpace less of it (`certpace budgets set`)",
	reason.CAAForbids:       "add the CAA record that the message names, then `certpace reissue NAME`",
	reason.ZoneNotFound:     "create the zone, or correct dns.zone_id or dns.role_arn in the fleet file; then `certpace reissue NAME`",
	reason.DNSWriteFailed:   "it is tried again by itself; the message may name a value that must be removed by hand",
	reason.DNSNotVisible:    "it is tried again by itself; see whether this is the zone that the domain is delegated to",
	reason.ValidationFailed: "mend what the CA saw, which the message names, then `certpace reissue NAME`",
	reason.BadCertificate:   "see whether acme_directory is the CA that you mean, then `certpace reissue NAME`",
	reason.StorageFailed:    "it is tried again by itself; where the message names an item, mend that or upgrade",
	reason.PermissionDenied: "allow what the message names, then `certpace reissue NAME`",
	reason.Configuration:    "do what the message says, then `certpace reissue NAME`",
	reason.Deadline:         "it goes on by itself; where it never gets further the DNS settles too slowly",
	reason.Interrupted:      "it goes on by itself; the worker's log has more",
}

// act is what somebody should do about a certificate.
func (v *visit) act(c *inventory.Certificate, at inventory.Standing) string {
	if c.Endangered(v.Now) && (at.State == reason.Budget || at.State == reason.Scheduled && c.Status.Repeats > 0) {
		return plan.Remedy(c) // which has the figures
	}
	return strings.ReplaceAll(acts[at.State], "NAME", c.Name)
}
