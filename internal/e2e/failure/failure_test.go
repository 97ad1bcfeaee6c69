package failure

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/reason"
)

// failed holds that a failure is told everywhere in the same words, with the time of the next attempt, and that nothing in use was touched.
func failed(t *testing.T, w *witness.World, name string, why reason.Reason, next time.Duration, says, serial string) {
	t.Helper()
	w.AwaitReason(t, name, why)
	s := w.Status(t, name)
	if s.NextAttempt == nil || time.Until(*s.NextAttempt) < next-2*time.Minute || time.Until(*s.NextAttempt) > next+2*time.Minute {
		t.Errorf("the next attempt is at %v, want in %s", s.NextAttempt, next)
	}
	if s.Failures != 1 || !strings.Contains(s.Message, says) || s.Serial != serial {
		t.Errorf("status is %+v", s)
	}
	witness.Await(t, "the event of a failure", func() bool {
		all := w.EventsOf(t, name)
		return len(all) > 0 && all[len(all)-1].Kind == event.RenewalFailed
	})
	if e := w.LastEvent(t, name).Detail; e.Reason != why || e.Message != s.Message || e.NextAttempt == nil || !e.NextAttempt.Equal(*s.NextAttempt) {
		t.Errorf("the event says %+v, the status %+v", e, s)
	}
}

// kept are certificates that are in use when something fails, issued together.
var kept = []witness.Entry{
	{Name: "busy", Domains: []string{"busy.kept.test"}},
	{Name: "cut", Domains: []string{"cut.kept.test"}},
	{Name: "zone-denied", Domains: []string{"zone-denied.kept.test"}},
	{Name: "version-denied", Domains: []string{"version-denied.kept.test"}},
	{Name: "limited", Domains: []string{"limited.kept.test"}},
	{Name: "paused", Domains: []string{"paused.kept.test"}},
	{Name: "unproved", Domains: []string{"unproved.kept.test"}},
	{Name: "doomed", Domains: []string{"doomed.kept.test"}},
}

var issueKept sync.Once

// inUse is what is in use of one of them before its test.
func inUse(t *testing.T, w *witness.World, name string) witness.Stored {
	t.Helper()
	issueKept.Do(func() {
		keptZone = w.MakeZone(t, "kept.test")
		w.Issue(t, kept...)
	})
	return w.Stored(t, name)
}

var keptZone string

func TestAZoneThatDoesNotExist(t *testing.T) {
	w := world
	w.Watch(t)
	domains := []string{"nowhere.test", "www.nowhere.test"}
	w.Apply(t, witness.Entry{Name: "nowhere", Domains: domains})
	t.Run("costs no order, and is told with its next attempt", func(t *testing.T) {
		if s := w.RunTick(t); s.Scheduled != 1 {
			t.Fatalf("the tick scheduled %+v", s)
		}
		failed(t, w, "nowhere", reason.ZoneNotFound, 24*time.Hour, "nowhere.test", "")
		for _, r := range w.CA.Requests() {
			if len(r.Names) > 0 && r.Names[0] == domains[0] {
				t.Errorf("the CA was asked for it: %+v", r)
			}
		}
	})
	t.Run("is left alone by the ticks that follow", func(t *testing.T) {
		if s := w.RunTick(t); s.Considered != 0 {
			t.Errorf("the tick did %+v", s)
		}
	})
	t.Run("is issued once the zone is there and somebody says so", func(t *testing.T) {
		w.MakeZone(t, "nowhere.test")
		w.Certpace(t, "", "reissue", "nowhere")
		w.AwaitIssued(t, "nowhere", "")
		w.Stored(t, "nowhere")
		if s := w.Status(t, "nowhere"); s.Failures != 0 || s.Reason != reason.NotDue || len(w.OrdersOf(domains...)) != 1 {
			t.Errorf("%d orders, status %+v", len(w.OrdersOf(domains...)), s)
		}
	})
}

func TestACAThatIsNotAvailable(t *testing.T) {
	w := world
	w.Watch(t)
	before := inUse(t, w, "busy")
	t.Run("is left alone for as long as it asks, and the old version stays", func(t *testing.T) {
		back := w.CA.OnBefore(func(ca.Request) ca.Verdict { return ca.ServiceBusy(2 * time.Hour) })
		defer back()
		if o := w.Delivered(t, w.Send(t, `{"certificate":"busy","force":true}`)); !o.Acknowledged {
			t.Errorf("the delivery ended with %+v", o)
		}
		failed(t, w, "busy", reason.CAUnavailable, 2*time.Hour, "503", before.Serial)
		if s := w.Stored(t, "busy"); s.VersionID != before.VersionID {
			t.Errorf("in use is version %s", s.VersionID)
		}
	})
	t.Run("gets the order when it is back", func(t *testing.T) {
		w.Kill() // a new process, since this one keeps its word and asks no more for two hours
		w.AgeAttempt(t, "busy")
		w.RunTick(t)
		w.AwaitIssued(t, "busy", before.Serial)
		w.Replaced(t, "busy", "manual", before)
		if orders := w.OrdersOf(before.Domains...); len(orders) != 2 {
			t.Errorf("the CA counts %d orders", len(orders))
		}
	})
}

// answerNewOrder makes the CA refuse the next newOrder for a certificate's names.
func answerNewOrder(t *testing.T, w *witness.World, of witness.Stored, with ca.Verdict) {
	t.Helper()
	var once sync.Once
	t.Cleanup(w.CA.OnBefore(func(r ca.Request) (v ca.Verdict) {
		if r.Kind == ca.KindNewOrder && slices.Equal(r.Names, of.Domains) {
			once.Do(func() { v = with })
		}
		return v
	}))
}

func TestACAThatSaysTooMany(t *testing.T) {
	w := world
	w.Watch(t)
	before := inUse(t, w, "limited")
	name := before.Domains[0]
	answerNewOrder(t, w, before, ca.RateLimited(ca.FailedAuthorizations(name), time.Now(), 40*time.Minute))
	if o := w.Delivered(t, w.Send(t, `{"certificate":"limited","force":true}`)); !o.Acknowledged {
		t.Errorf("the delivery ended with %+v", o)
	}
	failed(t, w, "limited", reason.RateLimited, 40*time.Minute, "too many failed authorizations", before.Serial)
	if left, burst := leftOf(t, w, "failed-authorizations", "0 "+name); left != 0 || burst != 5 {
		t.Errorf("%d of %d tokens are left: nothing was learnt", left, burst)
	}
	t.Run("it isn't asked again before its time, whoever asks", func(t *testing.T) {
		requests := len(w.CA.Requests())
		if o := w.Delivered(t, w.Send(t, `{"certificate":"limited","force":true}`)); !o.Acknowledged {
			t.Errorf("the delivery ended with %+v", o)
		}
		s := w.Status(t, "limited")
		if s.Reason != reason.Budget || s.Limit != "failed-authorizations" || s.NextAttempt == nil || time.Until(*s.NextAttempt) < 38*time.Minute {
			t.Errorf("status is %+v", s)
		}
		if n := len(w.CA.Requests()) - requests; n != 0 {
			t.Errorf("the CA got %d requests", n)
		}
	})
	if orders := w.OrdersOf(name); len(orders) != 1 {
		t.Errorf("the CA counts %d orders", len(orders))
	}
}

func TestACAThatPausesTheAccount(t *testing.T) {
	w := world
	w.Watch(t)
	before := inUse(t, w, "paused")
	const token = "eyJhbGciOiJIUzI1NiJ9.unpause-me"
	answerNewOrder(t, w, before, ca.Paused("https://ca.test/unpause?jwt="+token, before.Domains...))
	if o := w.Delivered(t, w.Send(t, `{"certificate":"paused","force":true}`)); !o.Acknowledged {
		t.Errorf("the delivery ended with %+v", o)
	}
	w.AwaitReason(t, "paused", reason.AccountPaused)
	witness.Await(t, "the event of a pause", func() bool { return w.LastEvent(t, "paused").Kind == event.AccountPaused })
	if e := w.LastEvent(t, "paused").Detail; strings.Contains(e.Message, token) || e.Reason != reason.AccountPaused {
		t.Errorf("the event says %+v", e)
	}
	w.Certpace(t, "", "status")
	if strings.Contains(w.Transcript(), token) {
		t.Error("the link that unpauses the account was printed to whoever reads the log")
	}
	s := w.Status(t, "paused")
	if !strings.Contains(s.Unpause, token) || s.Serial != before.Serial || s.NextAttempt == nil || time.Until(*s.NextAttempt) < 23*time.Hour {
		t.Errorf("status is %+v", s)
	}
	t.Run("somebody who opened the link says so", func(t *testing.T) {
		w.Certpace(t, "", "reissue", "--force", "paused")
		w.AwaitIssued(t, "paused", before.Serial)
		w.Replaced(t, "paused", "manual", before)
		if s := w.Status(t, "paused"); s.Unpause != "" || s.Failures != 0 {
			t.Errorf("status is %+v", s)
		}
	})
}

func TestADeniedAction(t *testing.T) {
	for name, tc := range map[string]struct {
		certificate, action string
		finalized           int // certificates that the CA has signed by then
	}{
		"to change a zone":   {"zone-denied", "route53:ChangeResourceRecordSets", 0},
		"to write a version": {"version-denied", "secretsmanager:PutSecretValue", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, ctx, cert := world, context.Background(), tc.certificate
			w.Watch(t)
			before := inUse(t, w, cert)
			if err := w.AWS.Deny(ctx, tc.action); err != nil {
				t.Fatal(err)
			}
			if o := w.Delivered(t, w.Send(t, `{"certificate":%q,"force":true}`, cert)); !o.Acknowledged {
				t.Errorf("the delivery ended with %+v", o)
			}
			failed(t, w, cert, reason.PermissionDenied, 24*time.Hour, tc.action, before.Serial)
			if s := w.Stored(t, cert); s.VersionID != before.VersionID || s.Stages[witness.Previous] != "" {
				t.Errorf("in use is version %s, labels are %v", s.VersionID, s.Stages)
			}
			if made := w.CertificatesOf(before.Domains...); len(made) != 1+tc.finalized {
				t.Errorf("the CA has signed %d certificates", len(made))
			}
			if keys := w.SecretsUnder(t, "pending/"); len(keys) != tc.finalized {
				t.Errorf("keys in progress are %v: one is kept exactly where the CA has seen it", keys)
			}
			if err := w.AWS.AllowAll(ctx); err != nil {
				t.Fatal(err)
			}
			w.AgeAttempt(t, cert)
			w.RunTick(t)
			w.AwaitIssued(t, cert, before.Serial)
			w.Replaced(t, cert, "manual", before)
			if orders, made := w.OrdersOf(before.Domains...), w.CertificatesOf(before.Domains...); len(orders) != 2 || len(made) != 2 {
				t.Errorf("the CA counts %d orders and %d certificates: the one that was begun wasn't finished", len(orders), len(made))
			}
		})
	}
}

// A secret that somebody deleted can't be read for the days that it waits, and its consumers know
// it before anybody else does.
func TestASecretThatIsMarkedForDeletion(t *testing.T) {
	w, ctx := world, context.Background()
	w.Watch(t)
	before := inUse(t, w, "doomed")
	id := aws.String(w.SecretPrefix + "doomed")
	if _, err := w.Secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: id}); err != nil {
		t.Fatal(err)
	}
	if o := w.Delivered(t, w.Send(t, `{"certificate":"doomed","reason":"revoked"}`)); !o.Acknowledged {
		t.Errorf("the delivery ended with %+v", o)
	}
	failed(t, w, "doomed", reason.Configuration, 24*time.Hour, "aws secretsmanager restore-secret --secret-id "+*id, before.Serial)
	if orders := w.OrdersOf(before.Domains...); len(orders) != 1 {
		t.Errorf("%d orders: nothing could have been stored", len(orders))
	}
	if _, err := w.Secrets.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: id}); err != nil {
		t.Fatal(err)
	}
	w.AgeAttempt(t, "doomed")
	w.RunTick(t)
	w.AwaitIssued(t, "doomed", before.Serial)
	w.Replaced(t, "doomed", "revoked", before)
}

func TestAValidationThatFails(t *testing.T) {
	w := world
	w.Watch(t)
	before := inUse(t, w, "unproved")
	var once sync.Once
	remove := w.CA.OnBefore(func(r ca.Request) ca.Verdict {
		if r.Kind == ca.KindChallenge && r.Name == before.Domains[0] {
			once.Do(func() { w.DropValue(t, keptZone, "_acme-challenge."+r.Name) }) // somebody else's hand in the zone
		}
		return ca.Pass()
	})
	defer remove()
	id := w.Send(t, `{"certificate":"unproved","force":true}`)
	if o := w.Delivered(t, id); o.Acknowledged || o.Killed {
		t.Errorf("the delivery ended with %+v: it is due again soon enough to stay on the queue", o)
	}
	failed(t, w, "unproved", reason.ValidationFailed, time.Minute, before.Domains[0], before.Serial)
	if made := w.CertificatesOf(before.Domains...); len(made) != 1 {
		t.Errorf("the CA signed %d certificates", len(made))
	}
	for _, limit := range []string{"failed-authorizations", "consecutive-failures"} {
		if left, burst := leftOf(t, w, limit, "0 "+before.Domains[0]); left != burst-1 {
			t.Errorf("%d of %d tokens of %s are left, want one less", left, burst, limit)
		}
	}
	w.AgeAttempt(t, "unproved")
	w.Redeliver(t, id)
	if o := w.Delivered(t, id); !o.Acknowledged {
		t.Errorf("the second delivery ended with %+v", o)
	}
	w.Replaced(t, "unproved", "manual", before)
	if orders, made := w.OrdersOf(before.Domains...), w.CertificatesOf(before.Domains...); len(orders) != 3 || len(made) != 2 {
		t.Errorf("the CA counts %d orders and %d certificates: one failed, and another was made", len(orders), len(made))
	}
}

func TestACAThatCutsEveryConnection(t *testing.T) {
	w := world
	w.Watch(t)
	before := inUse(t, w, "cut")
	mend := w.CA.OnBefore(func(ca.Request) ca.Verdict { return ca.Cut() })
	t.Cleanup(mend)
	id := w.Send(t, `{"certificate":"cut","force":true}`)
	if o := w.Delivered(t, id); o.Acknowledged || o.Killed {
		t.Errorf("the delivery ended with %+v: it is due again soon enough to stay on the queue", o)
	}
	failed(t, w, "cut", reason.CAUnavailable, time.Minute, "didn't answer", before.Serial)
	mend()
	w.AgeAttempt(t, "cut")
	w.Redeliver(t, id)
	if o := w.Delivered(t, id); !o.Acknowledged || o.Receives != 2 {
		t.Errorf("the second delivery ended with %+v", o)
	}
	w.Replaced(t, "cut", "manual", before)
	if orders := w.OrdersOf(before.Domains...); len(orders) != 2 {
		t.Errorf("the CA counts %d orders", len(orders))
	}
}
