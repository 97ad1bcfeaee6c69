package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/store/entry"
	"github.com/certpace/certpace/internal/store/storetest"
)

// rig is a store with the client under it.
type rig struct {
	*testing.T
	storetest.Backend
	client *dynamodb.Client
}

func newRig(t *testing.T) rig {
	b := backend(t)
	c, _ := client(t)
	return rig{t, b, c}
}

// raw is an item as it is in the table.
func (r rig) raw(pk string) item {
	r.Helper()
	out, err := r.client.GetItem(r.Context(), &dynamodb.GetItemInput{
		TableName: &cloud.table, Key: item{"pk": text(pk)}, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		r.Fatal(err)
	}
	return out.Item
}

// shown is an item as the console shows it: its top attributes, each as one value; maps and lists by their kind only.
func shown(it item) map[string]string {
	out := map[string]string{}
	for k, v := range it {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			out[k] = v.Value
		case *types.AttributeValueMemberN:
			out[k] = v.Value
		case *types.AttributeValueMemberBOOL:
			out[k] = strconv.FormatBool(v.Value)
		default:
			out[k] = strings.TrimPrefix(fmt.Sprintf("%T", v), "*types.AttributeValueMember")
		}
	}
	return out
}

func (r rig) shows(pk string, want map[string]string) {
	r.Helper()
	got := shown(r.raw(pk))
	want["pk"], want["schema"] = pk, "1"
	if got["write"] == "" {
		r.Errorf("%s has no token", pk)
	}
	delete(got, "write")
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("%s (-want +got):\n%s", pk, diff)
	}
}

func (r rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }

// TestWhatTheConsoleShows pins the table's items down: another version of certpace, and a person, read them too.
func TestWhatTheConsoleShows(t *testing.T) {
	t.Run("a certificate shows its status at the top, and is in the index while it is due", func(t *testing.T) {
		r := newRig(t)
		c := storetest.Full("www", r.Shard, r.Now)
		c, err := r.Store.SaveCertificate(t.Context(), c)
		r.ok(err)
		want := map[string]string{
			"due_pk": r.Shard + "#certificate", "due_at": millis(c.Status.Due), "name": "www", "shard": r.Shard, "rev": "1", "wanted": "M", "in_use": "M", "booked": "M", "followups": "L",
			"due": stamp(c.Status.Due), "job": "j1", "start": stamp(r.Now), "failures": "2", "reason": "budget", "message": "wartet · 待つ",
			"limit": "new-orders-per-account", "limit_key": "0", "at": stamp(r.Now), "next_attempt": stamp(r.Now.Add(time.Hour)), "asked": "M", "rehearse": "true", "fallback": c.Status.Fallback,
			"turn": stamp(c.Status.Turn), "no_turn": "true", "repeats": "3", "warned": stamp(c.Status.Warned),
		}
		r.shows(r.Shard+"#certificate#www", want)
		c.Status.Due = time.Time{}
		_, err = r.Store.SaveCertificate(t.Context(), c)
		r.ok(err)
		maps.DeleteFunc(want, func(k, _ string) bool { return k == "due" || k == "due_pk" || k == "due_at" })
		want["rev"] = "2"
		r.shows(r.Shard+"#certificate#www", want)
	})
	t.Run("the end of what is in use is an item of its own, in the index at the beginning of the last part of the life", func(t *testing.T) {
		r := newRig(t)
		c := storetest.Full("www", r.Shard, r.Now)
		c, err := r.Store.SaveCertificate(t.Context(), c)
		r.ok(err)
		last := c.InUse.LastPart()
		want := map[string]string{
			"due_pk": r.Shard + "#end", "due_at": millis(last), "certificate": "www", "not_before": stamp(c.InUse.NotBefore), "not_after": stamp(c.InUse.NotAfter),
			"last_part": stamp(last), "enabled": "true", "rev": "1",
		}
		r.shows(r.Shard+"#end#www", want)
		c.Wanted.Enabled = false
		_, err = r.Store.SaveCertificate(t.Context(), c)
		r.ok(err)
		want["enabled"], want["rev"], want["expires"] = "false", "2", seconds(c.InUse.NotAfter.Add(24*time.Hour))
		r.shows(r.Shard+"#end#www", want)
	})
	t.Run("an issuance is in the index until it is closed, and then expires", func(t *testing.T) {
		r := newRig(t)
		c, err := r.Store.SaveCertificate(t.Context(), storetest.Full("www", r.Shard, r.Now))
		r.ok(err)
		i, c, err := r.Store.Claim(t.Context(), renew.Claim{
			Key: "k", Certificate: c, Owner: "me", Now: r.Now, Until: r.Now.Add(time.Minute), Job: renew.Job{Job: job.New("www", job.Manual, "j"), SentAt: r.Now},
		})
		r.ok(err)
		r.shows(r.Shard+"#issuance#k", map[string]string{
			"due_pk": r.Shard + "#issuance", "due_at": millis(i.Until), "key": "k", "id": i.ID, "shard": r.Shard, "certificate": "www", "owner": "me",
			"fence": fmt.Sprint(i.Fence), "until": stamp(i.Until), "rev": "1", "job": "M", "wanted": "M", "opened": stamp(r.Now), "attempt": "0", "sent": "false",
			"account": "", "replaces": "", "order_url": "", "finalized": "false",
		})
		_, err = r.Store.Close(t.Context(), i, c)
		r.ok(err)
		r.shows(r.Shard+"#issuance#k", map[string]string{
			"key": "k", "fence": fmt.Sprint(i.Fence), "closed": "true", "expires": seconds(i.Until.Add(30 * 24 * time.Hour)),
		})
	})
}

func TestWhatTheConsoleShowsOfBudgets(t *testing.T) {
	t.Run("a bucket is in the index at its TAT and expires a day after it", func(t *testing.T) {
		r := newRig(t)
		tat := r.Now.Add(time.Hour + 7)
		own, shared := budget.Key{CA: r.CA, Limit: budget.NewOrdersPerAccount, Subject: "0"}, budget.Key{CA: r.CA, Limit: budget.CertificatesPerExactSet, Subject: "h"}
		r.ok(r.Store.MoveBuckets(t.Context(), []budget.Write{{Key: own, New: budget.BucketAt(tat.UnixNano())}, {Key: shared, New: budget.BucketAt(tat.UnixNano())}}))
		for _, of := range []string{r.Shard + "#bucket#" + own.String(), "*#bucket#" + shared.String()} {
			r.shows(of, map[string]string{
				"due_pk": strings.SplitAfter(of, "#bucket")[0], "due_at": millis(tat), "tat": fmt.Sprint(tat.UnixNano()), "expires": seconds(tat.Add(24 * time.Hour)),
			})
		}
	})
	t.Run("a name's failures are one item, in the index at the later TAT", func(t *testing.T) {
		r := newRig(t)
		hour, day := r.Now.Add(time.Hour), r.Now.Add(24*time.Hour)
		subject := budget.FailureSubject("0", "a.example")
		r.ok(r.Store.MoveBuckets(t.Context(), []budget.Write{
			{Key: budget.Key{CA: r.CA, Limit: budget.ConsecutiveFailures, Subject: subject}, New: budget.BucketAt(day.UnixNano())},
			{Key: budget.Key{CA: r.CA, Limit: budget.FailedAuthorizations, Subject: subject}, New: budget.BucketAt(hour.UnixNano())},
		}))
		r.shows(r.Shard+"#bucket#"+r.CA+"/failures/"+subject, map[string]string{
			"due_pk": r.Shard + "#bucket", "due_at": millis(day), "expires": seconds(day.Add(24 * time.Hour)),
			"tat_consecutive_failures": fmt.Sprint(day.UnixNano()), "tat_failed_authorizations": fmt.Sprint(hour.UnixNano()),
		})
	})
}

func TestWhatTheConsoleShowsOfTheRest(t *testing.T) {
	t.Run("a lease shows whose it is, and no owner but the pace once it is given back", func(t *testing.T) {
		r := newRig(t)
		until := r.Now.Add(time.Minute)
		fence, err := r.Store.AcquireWorker(t.Context(), r.Shard, "me", r.Now, until)
		r.ok(err)
		r.shows(r.Shard+"#worker", map[string]string{"owner": "me", "until": stamp(until), "fence": fmt.Sprint(fence), "rev": "1"})
		r.ok(r.Store.ReleaseWorker(t.Context(), r.Shard, "me", fence, 3*time.Second))
		r.shows(r.Shard+"#worker", map[string]string{"owner": "", "fence": fmt.Sprint(fence), "rev": "2", "pace": "3000000000"})
	})
	t.Run("limits and messages", func(t *testing.T) {
		r := newRig(t)
		r.ok(r.Store.SetLimits(t.Context(), r.CA, entry.LimitSet{Overrides: budget.Limits{budget.NewOrdersPerAccount: {Burst: 2, Count: 1, Period: time.Hour}}}))
		r.shows("*#limits#"+r.CA, map[string]string{"ca": r.CA, "set": "", "overrides": "M", "rev": "1"})
		r.ok(r.Store.RecordMessage(t.Context(), entry.MessageRecord{ID: "m", Reason: reason.BadMessage, Message: "why", Body: "b", At: r.Now}))
		r.shows(r.Shard+"#message#m", map[string]string{
			"due_pk": r.Shard + "#message", "due_at": millis(r.Now), "id": "m", "reason": "bad-message", "message": "why", "body": "b", "at": stamp(r.Now),
			"expires": seconds(r.Now.Add(14 * 24 * time.Hour)),
		})
	})
}

func TestWhatTheConsoleShowsOfThePlanner(t *testing.T) {
	t.Run("a day of the calendar has a count and a rate for each hour, and expires when it is long over", func(t *testing.T) {
		r := newRig(t)
		today := r.Now.Truncate(24 * time.Hour)
		c := storetest.Full("www", r.Shard, r.Now)
		c.Booked.Hour = today.Add(5*time.Hour + 59*time.Minute)
		_, err := r.Store.Book(t.Context(), r.Shard, []plan.Placement{{Certificate: c}})
		r.ok(err)
		want := map[string]string{
			"due_pk": r.Shard + "#calendar", "due_at": millis(today), "expires": seconds(today.Add(4 * 24 * time.Hour)), "c05": "1", "r05": "694444",
		}
		r.shows(r.Shard+"#calendar#"+today.Format(time.DateOnly), want)
		left := *c.Booked
		c.Rev, c.Booked.Hour = 1, today.Add(23*time.Hour)
		_, err = r.Store.Book(t.Context(), r.Shard, []plan.Placement{{Certificate: c, Leaves: &left}})
		r.ok(err)
		want["c05"], want["r05"], want["c23"], want["r23"] = "0", "0", "1", "694444"
		r.shows(r.Shard+"#calendar#"+today.Format(time.DateOnly), want)
	})
	t.Run("a watch is in the index while it is to be asked, and then expires", func(t *testing.T) {
		r := newRig(t)
		w := plan.Watch{Certificate: "www", CertID: "a.b", Directory: "https://ca.example/directory", Issuer: "CN=R1", NotAfter: r.Now.Add(time.Hour), Asked: r.Now, Next: r.Now.Add(time.Minute)}
		want := map[string]string{
			"due_pk": r.Shard + "#watch", "due_at": millis(w.Next), "certificate": "www", "ari_cert_id": "a.b", "acme_directory": "https://ca.example/directory",
			"issuer": "CN=R1", "not_after": stamp(w.NotAfter), "asked": stamp(w.Asked), "next": stamp(w.Next),
		}
		r.ok(r.Store.SaveWatches(t.Context(), r.Shard, []plan.Watch{w}))
		r.shows(r.Shard+"#watch#www", want)
		w.Next = time.Time{}
		r.ok(r.Store.SaveWatches(t.Context(), r.Shard, []plan.Watch{w}))
		maps.DeleteFunc(want, func(k, _ string) bool { return k == "next" || k == "due_pk" || k == "due_at" })
		want["expires"] = seconds(r.Now.Add(30 * 24 * time.Hour))
		r.shows(r.Shard+"#watch#www", want)
	})
	t.Run("notes, and sets of names that were issued", func(t *testing.T) {
		r := newRig(t)
		r.ok(r.Store.SaveNotes(t.Context(), r.Shard, plan.Notes{Raised: map[string]time.Time{"CN=R1": r.Now}, Calm: r.Now, Cursor: "c"}))
		r.shows(r.Shard+"#notes", map[string]string{"raised": "M", "calm": stamp(r.Now), "cursor": "c"})
		r.ok(r.Store.RememberSet(t.Context(), r.CA, "h", r.Now))
		r.shows("*#set#"+r.CA+"/h", map[string]string{"ca": r.CA, "hash": "h", "issued": stamp(r.Now), "expires": seconds(r.Now.Add(120 * 24 * time.Hour))})
	})
}

func TestWhatThePlannerCanDoWithoutIsLeftOut(t *testing.T) {
	t.Run("a day of the calendar", func(t *testing.T) {
		r := newRig(t)
		c := storetest.Full("www", r.Shard, r.Now)
		_, err := r.Store.Book(t.Context(), r.Shard, []plan.Placement{{Certificate: c}})
		r.ok(err)
		damage(t, r.client, r.Shard+"#calendar#"+c.Booked.Hour.Format(time.DateOnly), "c24", number("1"))
		hours, err := r.Store.Hours(t.Context(), r.Shard, r.Now)
		if err != nil || len(hours) != 0 {
			t.Errorf("got %v, %v", hours, err)
		}
	})
	t.Run("a watch", func(t *testing.T) {
		r := newRig(t)
		r.ok(r.Store.SaveWatches(t.Context(), r.Shard, []plan.Watch{{Certificate: "bad", Next: r.Now}, {Certificate: "good", Next: r.Now.Add(time.Minute)}}))
		damage(t, r.client, r.Shard+"#watch#bad", "by", text("hand"))
		found, err := r.Store.Watches(t.Context(), r.Shard, r.Now, r.Now.Add(time.Hour), 1)
		if err != nil || len(found) != 1 || found[0].Certificate != "good" {
			t.Errorf("got %v, %v", found, err)
		}
	})
	t.Run("a set of names", func(t *testing.T) {
		r := newRig(t)
		r.ok(r.Store.RememberSet(t.Context(), r.CA, "bad", r.Now))
		r.ok(r.Store.RememberSet(t.Context(), r.CA, "good", r.Now))
		damage(t, r.client, "*#set#"+r.CA+"/bad", "by", text("hand"))
		issued, err := r.Store.SetsIssued(t.Context(), r.CA, []string{"bad", "good"})
		if err != nil || len(issued) != 1 || !issued["good"].Equal(r.Now) {
			t.Errorf("got %v, %v", issued, err)
		}
	})
}

func TestANewerSchemaIsNeverReadAsThisOne(t *testing.T) {
	r := newRig(t)
	tat := budget.BucketAt(r.Now.Add(time.Hour).UnixNano())
	bucket := budget.Key{CA: r.CA, Limit: budget.NewOrdersPerAccount, Subject: "0"}
	c, err := r.Store.SaveCertificate(t.Context(), storetest.Full("www", r.Shard, r.Now))
	r.ok(err)
	claim := renew.Claim{Key: "k", Certificate: c, Owner: "me", Now: r.Now, Until: r.Now.Add(time.Minute)}
	_, _, err = r.Store.Claim(t.Context(), claim)
	r.ok(err)
	r.ok(r.Store.MoveBuckets(t.Context(), []budget.Write{{Key: bucket, New: tat}}))
	_, err = r.Store.AcquireWorker(t.Context(), r.Shard, "me", r.Now, r.Now.Add(time.Minute))
	r.ok(err)
	r.ok(r.Store.SetLimits(t.Context(), r.CA, entry.LimitSet{Name: budget.SetNone}))
	r.ok(r.Store.SaveNotes(t.Context(), r.Shard, plan.Notes{Cursor: "c"}))
	for _, kind := range []struct { // the certificate last: a claim reads it too
		pk  string
		use func() error
	}{
		{r.Shard + "#issuance#k", func() error { _, _, err := r.Store.Claim(t.Context(), claim); return err }},
		{r.Shard + "#bucket#" + bucket.String(), func() error { _, err := r.Store.Buckets(t.Context(), []budget.Key{bucket}); return err }},
		{r.Shard + "#worker", func() error { _, err := r.Store.AcquireWorker(t.Context(), r.Shard, "me", r.Now, r.Now); return err }},
		{r.Shard + "#notes", func() error { _, err := r.Store.Notes(t.Context(), r.Shard); return err }},
		{"*#limits#" + r.CA, func() error { _, err := r.Store.Limits(t.Context(), entry.DirectoryOf(r.CA)); return err }},
		{r.Shard + "#certificate#www", func() error { _, err := r.Store.Certificate(t.Context(), "www"); return err }},
	} {
		if err := kind.use(); err != nil {
			t.Fatalf("%s: %v", kind.pk, err)
		}
		damage(t, r.client, kind.pk, "schema", number("2"))
		err := kind.use()
		var c *entry.Corrupt
		if !errors.As(err, &c) || c.Item != kind.pk || !strings.Contains(err.Error(), "upgrade") {
			t.Errorf("%s: got %v", kind.pk, err)
		}
	}
}

func TestNoStatusFieldHidesAnAttribute(t *testing.T) {
	status, err := store.Encode(storetest.Full("www", "0", storetest.Noon()).Status)
	if err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{"pk", "schema", "write", "due_pk", "due_at", "expires", "name", "shard", "wanted", "in_use", "booked", "followups", "rev", "status"} {
		if slices.Contains(slices.Collect(maps.Keys(status)), taken) {
			t.Errorf("%s is both the status's and the item's", taken)
		}
	}
}
