package renew_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// revoke writes down the wish as the command line does, and returns the serial that it is about.
func (w *world) revoke(t *testing.T, name string, why inventory.RevocationReason) string {
	t.Helper()
	c := w.certificate(t, name)
	if _, err := w.table.SaveCertificate(context.Background(), inventory.AskRevocation(c, why, w.clock())); err != nil {
		t.Fatal(err)
	}
	return c.InUse.Serial
}

func (w *world) change(t *testing.T, name string, change func(*inventory.Wanted)) {
	t.Helper()
	c := w.certificate(t, name)
	change(&c.Wanted)
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

func revokedJob(w *world, name string) renew.Job {
	return renew.Job{Job: job.New(name, job.Revoked, "r-"+name), SentAt: w.clock()}
}

// followup is the job that the planner sends for a follow-up.
func followup(w *world, name string) renew.Job {
	return renew.Job{Job: job.New(name, job.Renewal, "f-"+name), SentAt: w.clock()}
}

// publicKey is the key of what consumers read.
func (w *world) publicKey(t *testing.T, name string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(w.vault.current[name].Bundle.Certificate))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(leaf.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(der)
}

func TestWhatIsRevokedIsReplacedFirst(t *testing.T) {
	w := issued(t, "a.example")
	old := w.revoke(t, "www", inventory.Superseded)
	w.calls = nil
	if r := w.deliver("two", revokedJob(w, "www"))[0]; !r.Done || !r.Issued || r.Failed {
		t.Fatalf("%+v", r)
	}
	if p, r := slices.Index(w.calls, "Promote"), slices.Index(w.calls, "Revoke"); p < 0 || r < p {
		t.Errorf("%v", w.calls)
	}
	if want := []string{old + "/4"}; !slices.Equal(w.ca.revoked, want) {
		t.Errorf("revoked %v, want %v", w.ca.revoked, want)
	}
	w.clean(t, "www")
	if c := w.certificate(t, "www"); c.InUse.Serial == old || c.Followups != nil || c.Status.Asked != nil {
		t.Errorf("%+v", c)
	}
	w.pass(time.Minute)
	if r := w.deliver("three", followup(w, "www"))[0]; r.Issued || len(w.ca.revoked) != 1 {
		t.Errorf("%+v, %v", r, w.ca.revoked)
	}
}

func TestKilledAtEveryCallARevocationIsCarriedOut(t *testing.T) {
	asked := func(t *testing.T) (w *world, old string) {
		w = issued(t, "a.example")
		old = w.revoke(t, "www", inventory.KeyCompromise)
		w.calls = nil
		return w, old
	}
	plain, _ := asked(t)
	plain.deliver("two", revokedJob(plain, "www"))
	all := slices.Clone(plain.calls)
	if !slices.Contains(all, "Revoke") {
		t.Fatalf("%v", all)
	}
	for i, call := range all {
		for f, when := range map[fate]string{killBefore: "before", killAfter: "after", lostAnswer: "lost", failed: "failed"} {
			t.Run(fmt.Sprintf("%02d %s %s", i+1, when, call), func(t *testing.T) {
				w, old := asked(t)
				w.at, w.fate = i+1, f
				w.deliver("two", revokedJob(w, "www"))
				for n := range 5 { // as the planner would: the wish, then what is owed
					w.dead, w.at = false, 0
					w.pass(16 * time.Minute)
					c := w.certificate(t, "www")
					switch {
					case c.Status.Asked != nil || c.Status.Issuance != "":
						w.deliver(fmt.Sprint("wish", n), renew.Job{Job: job.New("www", job.Revoked, "p"), SentAt: w.clock()})
					case c.Owes(w.clock()):
						w.deliver(fmt.Sprint("owed", n), followup(w, "www"))
					}
				}
				w.clean(t, "www")
				c := w.certificate(t, "www")
				if c.InUse.Serial == old || c.Followups != nil || w.ca.finalized != 2 {
					t.Errorf("%d certificates, %+v", w.ca.finalized, c.Followups)
				}
				if got := slices.Compact(slices.Clone(w.ca.revoked)); !slices.Equal(got, []string{old + "/1"}) {
					t.Errorf("revoked %v, want %s/1", w.ca.revoked, old)
				}
			})
		}
	}
}

func TestARevocationThatFailsIsTriedAgainWithoutAnOrder(t *testing.T) {
	w := issued(t, "a.example")
	old := w.revoke(t, "www", inventory.AffiliationChanged)
	w.broken["Revoke"] = renew.Fail(renew.Never, reason.CARefused, errors.New("badRevocationReason"))
	r := w.deliver("two", revokedJob(w, "www"))[0]
	if !r.Done || !r.Issued || !r.Failed || r.Reason != reason.CARefused {
		t.Fatalf("%+v", r)
	}
	c := w.certificate(t, "www")
	if c.Status.Reason != reason.NotDue || c.Status.Failures != 0 || c.InUse.Serial == old || len(c.Followups) != 1 {
		t.Fatalf("%+v, %+v", c.Status, c.Followups)
	}
	f := c.Followups[0]
	if f.Failures != 1 || f.Reason != reason.CARefused || !strings.Contains(f.Message, "badRevocationReason") || !f.Next.Equal(w.clock().Add(24*time.Hour)) {
		t.Errorf("%+v", f)
	}
	if last := w.events[len(w.events)-1]; last.Kind != event.RenewalFailed || last.Detail.Reason != reason.CARefused || last.Detail.NextAttempt == nil {
		t.Errorf("%+v", last)
	}
	w.pass(time.Hour)
	w.calls = nil
	w.deliver("early", followup(w, "www"))
	if slices.Contains(w.calls, "Revoke") {
		t.Error("it was tried before its time")
	}
	delete(w.broken, "Revoke")
	w.pass(24 * time.Hour)
	w.calls = nil
	w.deliver("three", followup(w, "www"))
	if slices.Contains(w.calls, "NewOrder") || !slices.Equal(w.ca.revoked, []string{old + "/3"}) || w.certificate(t, "www").Followups != nil {
		t.Errorf("%v, revoked %v, owed %+v", w.calls, w.ca.revoked, w.certificate(t, "www").Followups)
	}
}

func TestACompromisedKeySignsForNothingMore(t *testing.T) {
	for why, reused := range map[inventory.RevocationReason]bool{inventory.KeyCompromise: false, inventory.Superseded: true} {
		t.Run(string(why), func(t *testing.T) {
			w := issued(t, "a.example")
			w.change(t, "www", func(x *inventory.Wanted) { x.ReuseKey = true })
			before := w.publicKey(t, "www")
			w.revoke(t, "www", why)
			w.deliver("two", revokedJob(w, "www"))
			if got := w.publicKey(t, "www") == before; got != reused || len(w.ca.revoked) != 1 {
				t.Errorf("the same key: %t, want %t; revoked %v", got, reused, w.ca.revoked)
			}
		})
	}
}

func TestAKeyThatWasCompromisedWhileItWasOrderedForIsReplacedAgain(t *testing.T) {
	for _, at := range []string{"NewOrder", "Finalize", "Promote"} {
		t.Run(at, func(t *testing.T) {
			w := issued(t, "a.example")
			w.change(t, "www", func(x *inventory.Wanted) { x.ReuseKey = true })
			before := w.publicKey(t, "www")
			var first string
			defer w.during(at, func() { first = w.revoke(t, "www", inventory.KeyCompromise) })()
			w.deliver("two", manual("www", w.clock(), true))
			second := w.certificate(t, "www").InUse.Serial
			if first == "" || second == first || w.publicKey(t, "www") != before {
				t.Fatalf("the case isn't met: %q, %q", first, second)
			}
			if a := w.certificate(t, "www").Status.Asked; a == nil || a.Reason != "revoked" {
				t.Fatalf("nobody asks for another one: %+v", a)
			}
			w.pass(time.Minute)
			w.deliver("three", revokedJob(w, "www"))
			if w.publicKey(t, "www") == before || !slices.Equal(w.ca.revoked, []string{first + "/1", second + "/1"}) {
				t.Errorf("the old key is still in use, or revoked is %v of %s and %s", w.ca.revoked, first, second)
			}
		})
	}
}

func TestAStagedKeyThatIsCompromisedIsNotOrderedFor(t *testing.T) {
	w := issued(t, "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.ReuseKey = true })
	before := w.publicKey(t, "www")
	w.calls = nil
	w.at, w.fate = 0, killAfter
	w.during("NewOrder", func() { w.dead = true })
	w.deliver("two", manual("www", w.clock(), true))
	w.dead = false
	if len(w.keys) != 1 {
		t.Fatalf("%d keys are staged", len(w.keys))
	}
	old := w.revoke(t, "www", inventory.KeyCompromise)
	w.pass(16 * time.Minute)
	w.deliver("three", revokedJob(w, "www"))
	w.clean(t, "www")
	if w.publicKey(t, "www") == before || !slices.Equal(w.ca.revoked, []string{old + "/1"}) {
		t.Errorf("revoked %v", w.ca.revoked)
	}
}

func TestAMessageOfACompromiseRevokesWhereTheFleetFileWantsIt(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		t.Run(fmt.Sprint(wanted), func(t *testing.T) {
			w := issued(t, "a.example")
			w.change(t, "www", func(x *inventory.Wanted) { x.ReuseKey, x.RevokeOnCompromise = true, wanted })
			old, before := w.certificate(t, "www").InUse.Serial, w.publicKey(t, "www")
			j := revokedJob(w, "www")
			w.deliver("two", j, j)
			var want []string
			if wanted {
				want = []string{old + "/1"}
			}
			if !slices.Equal(w.ca.revoked, want) || (w.publicKey(t, "www") != before) != wanted || w.ca.finalized != 2 {
				t.Errorf("revoked %v, want %v; %d certificates", w.ca.revoked, want, w.ca.finalized)
			}
		})
	}
}

func TestWhatIsDisabledIsRevokedWithoutAReplacement(t *testing.T) {
	w := issued(t, "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.Enabled = false })
	old := w.revoke(t, "www", inventory.CessationOfOperation)
	w.calls = nil
	if r := w.deliver("two", revokedJob(w, "www"))[0]; !r.Done || r.Reason != reason.Disabled || r.Failed {
		t.Errorf("%+v", r)
	}
	if slices.Contains(w.calls, "NewOrder") || !slices.Equal(w.ca.revoked, []string{old + "/5"}) || w.certificate(t, "www").Followups != nil {
		t.Errorf("%v, revoked %v", w.calls, w.ca.revoked)
	}
}

func TestWhatHasEndedIsNotRevoked(t *testing.T) {
	w := issued(t, "a.example")
	w.revoke(t, "www", inventory.Superseded)
	w.broken["Revoke"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
	w.deliver("two", revokedJob(w, "www"))
	delete(w.broken, "Revoke")
	w.pass(90 * 24 * time.Hour)
	w.change(t, "www", func(x *inventory.Wanted) { x.Enabled = false })
	w.deliver("three", followup(w, "www"))
	if c := w.certificate(t, "www"); len(w.ca.revoked) != 0 || c.Followups != nil {
		t.Errorf("revoked %v, owed %+v", w.ca.revoked, c.Followups)
	}
}

// What is to be revoked is kept beside the wish: the vault keeps one version back only.
func TestARevocationOutlivesTheNextRenewal(t *testing.T) {
	w := issued(t, "a.example")
	old := w.revoke(t, "www", inventory.Superseded)
	w.broken["Revoke"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
	w.deliver("two", revokedJob(w, "www"))
	w.pass(time.Hour)
	w.deliver("three", manual("www", w.clock(), true))
	delete(w.broken, "Revoke")
	w.pass(time.Hour)
	w.deliver("four", followup(w, "www"))
	if !slices.Equal(w.ca.revoked, []string{old + "/4"}) || w.ca.finalized != 3 {
		t.Errorf("revoked %v of %d, want %s/4", w.ca.revoked, w.ca.finalized, old)
	}
}

const albARN, cdnARN = "arn:aws:acm:eu-central-1:1:certificate/alb", "arn:aws:acm:us-east-1:1:certificate/cdn"

func TestACertificateIsBroughtToWhereElseItIsWanted(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.change(t, "www", func(x *inventory.Wanted) {
		x.ACM, x.Secret.Replicas = []inventory.ACM{{ARN: albARN}, {ARN: cdnARN}}, []string{"eu-west-1"}
	})
	w.untilIssued(t, "www")
	w.clean(t, "www")
	serial := w.certificate(t, "www").InUse.Serial
	if w.shelf[albARN] != serial || w.shelf[cdnARN] != serial || w.vault.dressed != serial+"[eu-west-1]" || w.certificate(t, "www").Followups != nil {
		t.Errorf("ACM %v, secret %s, owed %+v", w.shelf, w.vault.dressed, w.certificate(t, "www").Followups)
	}
}

func TestKilledAtEveryCallACertificateIsBroughtEverywhere(t *testing.T) {
	everyCall(t, func(t *testing.T) (*world, func(t *testing.T)) {
		w := newWorld(t)
		w.want(t, "www", "a.example")
		w.change(t, "www", func(x *inventory.Wanted) { x.ACM = []inventory.ACM{{ARN: albARN}} })
		w.calls = nil
		return w, func(t *testing.T) {
			c := w.certificate(t, "www")
			if w.shelf[albARN] != c.InUse.Serial || w.vault.dressed != c.InUse.Serial+"[]" || c.Followups != nil || w.ca.finalized != 1 {
				t.Errorf("ACM %v, secret %s, owed %+v, %d certificates", w.shelf, w.vault.dressed, c.Followups, w.ca.finalized)
			}
		}
	})
}

// everyCall disturbs each call of an issuance of www in each way, delivers until it is through, and checks what came of it.
func everyCall(t *testing.T, start func(t *testing.T) (w *world, check func(t *testing.T))) {
	t.Helper()
	plain, _ := start(t)
	plain.deliver("one", scheduled("www"))
	for i, call := range slices.Clone(plain.calls) {
		for f, when := range map[fate]string{killBefore: "before", killAfter: "after", lostAnswer: "lost", failed: "failed"} {
			t.Run(fmt.Sprintf("%02d %s %s", i+1, when, call), func(t *testing.T) {
				w, check := start(t)
				w.at, w.fate = i+1, f
				w.deliver("one", scheduled("www"))
				for n := range 4 {
					w.dead, w.at = false, 0
					w.pass(16 * time.Minute)
					if c := w.certificate(t, "www"); c.InUse == nil || c.Status.Issuance != "" || c.Owes(w.clock()) {
						w.deliver(fmt.Sprint("next", n), scheduled("www"))
					}
				}
				w.clean(t, "www")
				check(t)
			})
		}
	}
}

func TestAPlaceThatRefusesLeavesTheRestOfTheIssuanceStanding(t *testing.T) {
	for call, kind := range map[string]inventory.FollowupKind{"Import": inventory.ImportACM, "Dress": inventory.DressSaved} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.change(t, "www", func(x *inventory.Wanted) { x.ACM = []inventory.ACM{{ARN: albARN}} })
			w.broken[call] = renew.Fail(renew.Never, reason.PermissionDenied, errors.New("allow it"))
			if r := w.deliver("one", scheduled("www"))[0]; !r.Done || !r.Issued || !r.Failed || r.Reason != reason.PermissionDenied {
				t.Fatalf("%+v", r)
			}
			w.leftOver(t)
			c := w.certificate(t, "www")
			if c.Status.Reason != reason.NotDue || c.Status.Failures != 0 || len(c.Followups) != 1 || c.Followups[0].Kind != kind || c.Followups[0].Reason != reason.PermissionDenied {
				t.Fatalf("%+v, %+v", c.Status, c.Followups)
			}
			kinds := []event.Kind{w.events[0].Kind, w.events[1].Kind}
			if !slices.Contains(kinds, event.RenewalFailed) || !slices.Contains(kinds, event.CertificateIssued) {
				t.Errorf("%v", kinds)
			}
			delete(w.broken, call)
			w.pass(25 * time.Hour)
			w.calls = nil
			w.deliver("two", followup(w, "www"))
			if slices.Contains(w.calls, "NewOrder") || !slices.Contains(w.calls, call) || w.certificate(t, "www").Followups != nil {
				t.Errorf("%v", w.calls)
			}
		})
	}
}

func TestWhatIsOwedIsAlwaysTheCertificateThatIsInUse(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.ACM = []inventory.ACM{{ARN: albARN}} })
	w.broken["Import"] = renew.Fail(renew.Later, reason.StorageFailed, errors.New("throttled"))
	w.untilIssued(t, "www")
	w.pass(48 * time.Hour)
	w.deliver("again", manual("www", w.clock(), true))
	if c := w.certificate(t, "www"); len(c.Followups) != 1 {
		t.Fatalf("%+v", c.Followups)
	}
	delete(w.broken, "Import")
	w.pass(time.Hour)
	w.deliver("owed", followup(w, "www"))
	if c := w.certificate(t, "www"); w.shelf[albARN] != c.InUse.Serial || c.Followups != nil {
		t.Errorf("ACM %v, in use %s", w.shelf, c.InUse.Serial)
	}
}

func TestApplyingAnotherPlaceBringsWhatIsInUseThereWithoutAnOrder(t *testing.T) {
	w := issued(t, "a.example")
	c := w.certificate(t, "www")
	wanted := c.Wanted
	wanted.ACM, wanted.Secret.Tags = []inventory.ACM{{ARN: cdnARN}}, map[string]string{"team": "web"}
	next, change := inventory.Apply(c, wanted, w.clock())
	if change != inventory.Altered || len(next.Followups) != 2 || !next.Owes(w.clock()) {
		t.Fatalf("%s, %+v", change, next.Followups)
	}
	if _, err := w.table.SaveCertificate(context.Background(), next); err != nil {
		t.Fatal(err)
	}
	w.calls = nil
	w.deliver("two", followup(w, "www"))
	if slices.Contains(w.calls, "NewOrder") || w.shelf[cdnARN] != c.InUse.Serial || w.certificate(t, "www").Followups != nil {
		t.Errorf("%v, %v", w.calls, w.shelf)
	}
	wanted.ACM = nil
	owed := w.certificate(t, "www").Owe(inventory.Followup{Kind: inventory.ImportACM, ARN: cdnARN})
	if gone, _ := inventory.Apply(owed, wanted, w.clock()); gone.Followups != nil {
		t.Errorf("a place that isn't wanted any more is still owed: %+v", gone.Followups)
	}
}

func TestAWishKeepsItsReasonWhereACompromiseWouldBeTakenForOne(t *testing.T) {
	w := issued(t, "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.RevokeOnCompromise = true })
	old := w.revoke(t, "www", inventory.Superseded)
	w.deliver("two", revokedJob(w, "www"))
	if !slices.Equal(w.ca.revoked, []string{old + "/4"}) {
		t.Errorf("revoked %v, want %s/4", w.ca.revoked, old)
	}
}

func TestAPlaceThatIsNoLongerWantedIsLeftAlone(t *testing.T) {
	w := issued(t, "a.example")
	c := w.certificate(t, "www").Owe(inventory.Followup{Kind: inventory.ImportACM, ARN: albARN, Next: w.clock()})
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.deliver("two", followup(w, "www"))
	if len(w.shelf) != 0 || w.certificate(t, "www").Followups != nil {
		t.Errorf("ACM %v, owed %+v", w.shelf, w.certificate(t, "www").Followups)
	}
}

// Between the promotion and what follows of it, this invocation may have been held up for any time.
func TestWhatIsHandedOverIsWhatIsCurrentThen(t *testing.T) {
	const arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
	w := issued(t, "a.example")
	older := w.vault.current["www"]
	newer := older
	newer.VersionID, newer.Bundle.Serial, newer.Bundle.NotBefore = "newer", "beef", w.now.Add(time.Hour)
	for name, row := range map[string]struct {
		current renew.Stored
		serial  string
	}{
		"somebody's newer one is":          {newer, "beef"},
		"an older one isn't put over ours": {older, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := issued(t, "a.example")
			w.change(t, "www", func(x *inventory.Wanted) { x.ACM = []inventory.ACM{{ARN: arn}} })
			defer w.during("Remove", func() { w.vault.current["www"] = row.current })()
			w.deliver("two", manual("www", w.now, false))
			if got := w.shelf[arn]; got != row.serial {
				t.Errorf("ACM has %q, want %q", got, row.serial)
			}
		})
	}
}

func TestFollowupsThatFailAreCountedByTheirKind(t *testing.T) {
	w := issued(t, "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.ACM = []inventory.ACM{{ARN: "arn:1"}} })
	old := w.certificate(t, "www").InUse.NotAfter
	w.broken["Import"] = renew.Fail(renew.Never, reason.PermissionDenied, errors.New("allow acm:ImportCertificate"))
	r := w.deliver("two", manual("www", w.now, false))[0]
	if !r.Issued || !r.Failed || len(r.FollowupsFailed) != 1 || r.FollowupsFailed[0] != inventory.ImportACM {
		t.Errorf("%+v", r)
	}
	c := w.certificate(t, "www")
	if end := c.ConsumersEnd(); !end.Equal(old) || !c.InUse.NotAfter.After(old) {
		t.Errorf("consumers end at %s, want %s", end, old)
	}
	w.pass(24 * time.Hour)
	r = w.deliver("three", scheduled("www"))[0]
	if len(r.FollowupsFailed) != 1 || !r.Failed {
		t.Errorf("the second time: %+v", r)
	}
	delete(w.broken, "Import")
	w.pass(24 * time.Hour)
	r = w.deliver("four", scheduled("www"))[0]
	if c := w.certificate(t, "www"); len(r.FollowupsFailed) != 0 || r.Failed || !c.ConsumersEnd().Equal(c.InUse.NotAfter) {
		t.Errorf("once it is done: %+v, %s", r, c.ConsumersEnd())
	}
}
