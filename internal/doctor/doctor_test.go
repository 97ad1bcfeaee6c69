package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/doctor"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

const (
	first  = "https://ca.example/directory"
	second = "https://other.example/directory"
	day    = 24 * time.Hour

	deployment = "prod"
)

var now = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// patient is everything that is examined, all of it faked.
type patient struct {
	fleet     []inventory.Certificate
	corrupt   error
	waiting   int
	queueErr  error
	pace      time.Duration
	secrets   []string
	secretErr error
	marked    error // what a look at a secret that isn't listed says; nil: it is gone
	keys      []vault.Pending
	owners    map[string]string // of secrets that aren't ours; empty: it names nobody
	accounts  []vault.Account
	cas       map[string]issuer.Description
	zoneErr   error
	forbidden string // the identity that CAA records leave out
}

func (p *patient) EachCertificate(context.Context) iter.Seq2[inventory.Certificate, error] {
	return func(yield func(inventory.Certificate, error) bool) {
		if p.corrupt != nil && !yield(inventory.Certificate{}, p.corrupt) {
			return
		}
		for _, c := range p.fleet {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (p *patient) WorkerPace(context.Context, string) (time.Duration, error) { return p.pace, nil }
func (p *patient) Waiting(context.Context) (int, error)                      { return p.waiting, p.queueErr }

type vaultOf struct{ *patient }

func (v vaultOf) EachCertificate(context.Context) iter.Seq2[vault.Listed, error] {
	return func(yield func(vault.Listed, error) bool) {
		for _, s := range v.secrets {
			owner, set := v.owners[s]
			if !set {
				owner = deployment
			}
			if !yield(vault.Listed{Certificate: s, Ours: owner != "", Deployment: owner, ARN: "arn:" + s}, nil) {
				return
			}
		}
		if v.secretErr != nil {
			yield(vault.Listed{}, v.secretErr)
		}
	}
}

func (v vaultOf) EachPending(context.Context) iter.Seq2[vault.Pending, error] {
	return func(yield func(vault.Pending, error) bool) {
		for _, k := range v.keys {
			if !yield(k, nil) {
				return
			}
		}
	}
}

func (v vaultOf) EachAccount(context.Context) iter.Seq2[vault.Account, error] {
	return func(yield func(vault.Account, error) bool) {
		for _, a := range v.accounts {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (v vaultOf) Look(context.Context, string) error {
	if v.marked != nil {
		return v.marked
	}
	return renew.ErrNoSecret
}

func (p *patient) Describe(_ context.Context, directory string) (issuer.Description, error) {
	if d, ok := p.cas[directory]; ok {
		return d, nil
	}
	return issuer.Description{}, fmt.Errorf("reading the directory %s: the CA didn't answer", directory)
}

func (p *patient) Locate(_ context.Context, _ inventory.DNS, cs []renew.Challenge) (rs []renew.Record, err error) {
	for _, c := range cs {
		rs = append(rs, renew.Record{Challenge: c, Provider: "route53", ZoneID: "Z1"})
	}
	return rs, p.zoneErr
}

func (p *patient) Permit(_ context.Context, names, identities []string) error {
	if slices.Contains(identities, p.forbidden) {
		return fmt.Errorf("%s: its CAA records allow other CAs only", names[0])
	}
	return nil
}

func (p *patient) examine(names ...string) []doctor.Finding {
	d := &doctor.Doctor{Fleet: p, Backlog: p, Secrets: vaultOf{p}, CAs: p, DNS: p, Shard: "0", Deployment: deployment, SecretPrefix: "prod/", Default: first, Now: now}
	return d.Examine(context.Background(), names)
}

// www is in use, has 60 of its 90 days left, and a second CA.
func www() inventory.Certificate {
	return inventory.Certificate{
		Name: "www",
		Wanted: inventory.Wanted{
			Domains: []string{"a.example", "b.example"}, Directory: first, Profile: "classic", Enabled: true,
			Fallback: &inventory.Fallback{Directory: second},
		},
		InUse:  &inventory.InUse{NotBefore: now.Add(-30 * day), NotAfter: now.Add(60 * day), SecretARN: "arn:www"},
		Status: inventory.Status{Reason: reason.NotDue, Due: now.Add(30 * day)},
	}
}

func healthy() *patient {
	return &patient{
		fleet: []inventory.Certificate{www()}, pace: 4 * time.Second, secrets: []string{"www"}, owners: map[string]string{},
		cas: map[string]issuer.Description{
			first:  {Profiles: []string{"classic", "shortlived"}, Identities: []string{"ca.example"}},
			second: {Bound: true},
		},
	}
}

func TestWhatStandsInTheWay(t *testing.T) {
	for name, tc := range map[string]struct {
		ail   func(p *patient)
		check string
		state doctor.State // the worst of the check's findings
		says  string
	}{
		"an entry that can't be understood": {
			func(p *patient) { p.corrupt = errors.New("reading C#x: not JSON") }, "table", doctor.Fail, "C#x",
		},
		"a planner that doesn't tick": {
			func(p *patient) { p.fleet[0].Status.Due = now.Add(-31 * time.Minute) }, "planner", doctor.Fail, "since 2026-12-01T08:29:00Z (www)",
		},
		"one that is only late": {
			func(p *patient) { p.fleet[0].Status.Due = now.Add(-29 * time.Minute) }, "planner", doctor.OK, "nothing has been due",
		},
		"what is switched off isn't due": {
			func(p *patient) { p.fleet[0].Status.Due = now.Add(-day); p.fleet[0].Wanted.Enabled = false }, "planner", doctor.OK, "nothing has been due",
		},
		"a queue that can't be read": {
			func(p *patient) { p.queueErr = errors.New("sqs:GetQueueAttributes is denied") }, "queue", doctor.Fail, "sqs:GetQueueAttributes",
		},
		"a worker that doesn't keep up": {
			func(p *patient) { p.waiting = 451 }, "queue", doctor.Warn, "at 4s each the worker needs 30m4s",
		},
		"a backlog that it can carry": {
			func(p *patient) { p.waiting = 450 }, "queue", doctor.OK, "needs 30m0s",
		},
		"what ends without a turn": {
			func(p *patient) {
				p.fleet[0].InUse.NotBefore, p.fleet[0].InUse.NotAfter = now.Add(-82*day), now.Add(8*day)
				p.fleet[0].Status.Reason, p.fleet[0].Status.Repeats, p.fleet[0].Status.Due = reason.Scheduled, 3, now.Add(time.Minute)
			}, "certificates", doctor.Fail, "its successor may not be there by then",
		},
		"what is in use and disabled": {
			func(p *patient) { p.fleet[0].Wanted.Enabled = false }, "disabled", doctor.OK, "1 certificates are in use and disabled, so nobody renews them",
		},
		"a certificate that fails": {
			func(p *patient) {
				p.fleet[0].Status.Failures, p.fleet[0].Status.Reason, p.fleet[0].Status.Message = 2, reason.ZoneNotFound, "no zone for a.example"
			}, "certificates", doctor.Warn, "no zone for a.example",
		},
		"one in the last tenth of its life, whatever it waits for": {
			func(p *patient) { p.fleet[0].InUse.NotAfter, p.fleet[0].Status.Reason = now.Add(3*day), reason.Budget }, "certificates", doctor.Fail, "it ends at 2026-12-04T09:00:00Z, and its successor may not be there by then",
		},
		"an account that is paused": {
			func(p *patient) { p.fleet[0].Status.Reason = reason.AccountPaused }, "certificates", doctor.Fail, "account-paused",
		},
		"a secret that is gone": {
			func(p *patient) { p.secrets = []string{"other"} }, "secrets", doctor.Fail, "1 certificates in use have no secret: www",
		},
		"a secret that waits for its deletion is brought back, not issued anew": {
			func(p *patient) { p.secrets, p.marked = nil, errors.New("bring it back with restore-secret") }, "secrets", doctor.Fail, "its consumers can't read it: bring it back with restore-secret",
		},
		"a secret that can't be read by the worker": {
			func(p *patient) {
				p.fleet[0].Status.Failures, p.fleet[0].Status.Reason, p.fleet[0].Status.Message = 1, reason.PermissionDenied, "allow secretsmanager:GetSecretValue on certpace/www"
			}, "certificates", doctor.Warn, "allow secretsmanager:GetSecretValue",
		},
		"a key that an issuance left behind": {
			func(p *patient) {
				p.keys = []vault.Pending{{Name: "certpace/pending/www/1", Certificate: "www", Created: now.Add(-25 * time.Hour)}}
			}, "keys", doctor.Warn, "--secret-id certpace/pending/www/1",
		},
		"an import that fails": {
			func(p *patient) {
				p.fleet[0] = p.fleet[0].Owe(inventory.Followup{Kind: inventory.ImportACM, ARN: "arn:1", Failures: 2, Message: "allow acm:ImportCertificate", Next: now.Add(time.Hour), Ends: now.Add(30 * day)})
			}, "certificates", doctor.Warn, "allow acm:ImportCertificate; who reads from there has the certificate of before, until 2026-12-31",
		},
		"one whose consumers are near their end": {
			func(p *patient) {
				p.fleet[0] = p.fleet[0].Owe(inventory.Followup{Kind: inventory.ImportACM, ARN: "arn:1", Failures: 2, Message: "allow acm:ImportCertificate", Next: now.Add(time.Hour), Ends: now.Add(2 * day)})
			}, "certificates", doctor.Fail, "until 2026-12-03",
		},
		"a key that is young": {
			func(p *patient) {
				p.keys = []vault.Pending{{Name: "certpace/pending/www/1", Certificate: "www", Created: now.Add(-23 * time.Hour)}}
			}, "keys", doctor.OK, "no key of an issuance was left",
		},
		"a key whose issuance is open": {
			func(p *patient) {
				p.keys, p.fleet[0].Status.Issuance = []vault.Pending{{Name: "certpace/pending/www/1", Certificate: "www", Created: now.Add(-25 * time.Hour)}}, "k"
			}, "keys", doctor.OK, "no key of an issuance was left",
		},
		"secrets that may not be listed": {
			func(p *patient) { p.secrets, p.secretErr = nil, errors.New("secretsmanager:ListSecrets is denied") }, "secrets", doctor.Fail, "ListSecrets",
		},
		"a CA that doesn't answer": {
			func(p *patient) { delete(p.cas, second) }, "ca", doctor.Fail, "https://other.example/directory: the CA didn't answer",
		},
		"a profile that the CA doesn't offer": {
			func(p *patient) { p.fleet[0].Wanted.Profile = "tlsserver" }, "ca", doctor.Fail, `no profile "tlsserver", which is asked for by www; its profiles are classic, shortlived`,
		},
		"a profile that the second CA doesn't offer": {
			func(p *patient) { p.fleet[0].Wanted.Fallback.Profile = "classic" }, "ca", doctor.Fail, `it offers no profile "classic"`,
		},
		"a zone that isn't there": {
			func(p *patient) { p.zoneErr = errors.New("no hosted zone for b.example") }, "dns", doctor.Fail, "no hosted zone for b.example",
		},
		"CAA records that leave the CA out": {
			func(p *patient) { p.forbidden = "ca.example" }, "caa", doctor.Fail, "https://ca.example/directory: a.example: its CAA records",
		},
		"CAA records that leave the second CA out": {
			func(p *patient) {
				p.forbidden, p.cas[second] = "other.example", issuer.Description{Identities: []string{"other.example"}}
			}, "caa", doctor.Fail, "https://other.example/directory: a.example",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := healthy()
			tc.ail(p)
			worst, said := doctor.OK, ""
			for _, f := range p.examine("www") {
				if f.Check != tc.check && f.State != doctor.OK {
					t.Errorf("beside it: %+v", f)
				}
				if f.Check != tc.check {
					continue
				}
				said += f.Message + "\n"
				if f.State == doctor.Fail || f.State == doctor.Warn && worst == doctor.OK {
					worst = f.State
				}
			}
			if worst != tc.state || !strings.Contains(said, tc.says) {
				t.Errorf("%s, want %s: %s", worst, tc.state, said)
			}
		})
	}
}

func TestWhoIsWellIsToldSo(t *testing.T) {
	all := healthy().examine("www")
	checks := map[string]bool{}
	for _, f := range all {
		if f.State != doctor.OK {
			t.Errorf("%+v", f)
		}
		checks[f.Check] = true
	}
	if len(checks) != 9 || doctor.Failed(all) != 0 {
		t.Errorf("%d checks: %v", len(checks), all)
	}
}

func TestATableThatCannotBeReadKeepsNothingElseFromBeingLookedAt(t *testing.T) {
	p := healthy()
	p.fleet, p.corrupt = nil, errors.New("dynamodb:Scan is denied")
	all := p.examine()
	checks := map[string]doctor.State{}
	for _, f := range all {
		checks[f.Check] = f.State
	}
	if checks["table"] != doctor.Fail || checks["queue"] != doctor.OK || checks["ca"] != doctor.OK || checks["planner"] != "" {
		t.Errorf("%+v", all)
	}
}

// Seven certificates with one trouble are seven certificates, each with an end of its own.
func TestTheSameTroubleIsALineForEach(t *testing.T) {
	p := healthy()
	p.fleet, p.secrets = nil, nil
	for i := range 7 {
		c := www()
		c.Name = fmt.Sprint("c", i)
		c.Status.Failures, c.Status.Reason, c.Status.Message = 1, reason.CAUnavailable, "503"
		p.fleet, p.secrets = append(p.fleet, c), append(p.secrets, c.Name)
	}
	var lines []string
	for _, f := range p.examine() {
		if f.State == doctor.Warn {
			lines = append(lines, f.Subject+": "+f.Message)
		}
	}
	if len(lines) != 7 || lines[0] != "c0: 503" || lines[6] != "c6: 503" {
		t.Errorf("%q", lines)
	}
}
