package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Full is a certificate with something in every field.
func Full(name, shard string, now time.Time) inventory.Certificate {
	domains := []string{"*.example.com", "example.com"}
	return inventory.Certificate{
		Name: name, Shard: shard,
		Wanted: inventory.Wanted{
			Domains: domains, KeyType: inventory.EC256, CSR: "csr", Directory: "https://ca.example/directory", Profile: "classic", PreferredChain: "Root X1",
			Fallback: &inventory.Fallback{Directory: "https://other.example/directory", Profile: "short", PreferredChain: "Root Y1"},
			DNS:      inventory.DNS{Provider: "route53", ZoneID: "Z1", RoleARN: "arn:aws:iam::1:role/dns", ExternalID: "x"},
			ReuseKey: true, Enabled: true, RevokeOnCompromise: true, Since: now.Add(-time.Hour),
			ACM:    []inventory.ACM{{ARN: "arn:aws:acm:us-east-1:1:certificate/1"}},
			Secret: inventory.Secret{KMSKeyID: "k", Replicas: []string{"eu-west-1"}, Tags: map[string]string{"team": "web", "empty": ""}},
		},
		InUse: &inventory.InUse{
			Serial: "0a", CertID: "a.b", Issuer: "CN=R1", NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(42 * 24 * time.Hour),
			IssuedAt: now.Add(-47 * time.Hour), Domains: domains, KeyType: inventory.RSA2048, Directory: "https://ca.example/directory",
			Account: "https://ca.example/acct/1", Profile: "classic", CSR: "00ff", SecretARN: "arn:aws:secretsmanager:x", VersionID: "v1",
			Window: &inventory.Window{Start: now.Add(time.Hour), End: now.Add(2 * time.Hour)}, RenewAt: now.Add(90 * time.Minute),
		},
		Booked: &inventory.Booking{Serial: "0a", Hour: now.Add(time.Hour), Rate: 694_444},
		Followups: []inventory.Followup{
			{
				Kind: inventory.Revoke, Next: now.Add(time.Minute), Failures: 1, Reason: reason.CAUnavailable, Message: "503",
				Revoke: &inventory.Revocation{
					Serial: "09", Reason: inventory.KeyCompromise, Asked: now, NotAfter: now.Add(time.Hour), Directory: "https://ca.example/directory", Leaf: []byte{0, 255},
				},
			},
			{Kind: inventory.ImportACM, ARN: "arn:aws:acm:us-east-1:1:certificate/1", Next: now},
		},
		Status: inventory.Status{
			Due: now.Add(90*time.Minute + 123456789), Job: "j1", Start: now, Issuance: "", Failures: 2, Reason: reason.Budget,
			Message: "wartet · 待つ", Limit: "new-orders-per-account", LimitKey: "0", At: now, NextAttempt: now.Add(time.Hour),
			Asked: &inventory.Asked{Reason: "manual", At: now, Force: true}, Rehearse: true, Fallback: "no room at the first one · 待つ",
			Turn: now.Add(50 * time.Hour), NoTurn: true, Repeats: 3, Warned: now.Add(-time.Hour),
		},
	}
}

func (w world) ctx() context.Context { return w.Context() }

func (w world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w world) same(what string, got, want any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (w world) fails(what string, got, want error) {
	w.Helper()
	if !errors.Is(got, want) {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// failsAs says that an error is a *renew.Failure of that kind and reason.
func (w world) failsAs(what string, got error, k renew.Kind, r reason.Reason) {
	w.Helper()
	var f *renew.Failure
	if !errors.As(got, &f) || f.Kind != k || f.Reason != r {
		w.Errorf("%s: got %v, want a failure of kind %v, reason %s", what, got, k, r)
	}
}

func (w world) isHeld(err error, certificate string, until time.Time) {
	w.Helper()
	var h *renew.Held
	if !errors.As(err, &h) {
		w.Fatalf("got %v, want it held by %q", err, certificate)
	}
	w.same("who holds it", *h, renew.Held{Certificate: certificate, Until: until})
}

// stored makes a certificate and stores it.
func (w world) stored(name string) inventory.Certificate {
	w.Helper()
	return w.save(Full(name, w.Shard, w.Now))
}

func (w world) save(c inventory.Certificate) inventory.Certificate {
	w.Helper()
	c, err := w.Store.SaveCertificate(w.ctx(), c)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w world) load(name string) inventory.Certificate {
	w.Helper()
	c, err := w.Store.Certificate(w.ctx(), name)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// claim is a claim of a certificate by an owner, for ten minutes.
func (w world) claimOf(c inventory.Certificate, key, owner string, now time.Time) renew.Claim {
	return renew.Claim{
		Key: key, Certificate: c, Owner: owner, Now: now, Until: now.Add(10 * time.Minute),
		Job: renew.Job{Job: job.New(c.Name, job.Renewal, "j1"), SentAt: w.Now},
	}
}

func (w world) claim(c renew.Claim) (renew.Issuance, inventory.Certificate) {
	w.Helper()
	i, cert, err := w.Store.Claim(w.ctx(), c)
	if err != nil {
		w.Fatal(err)
	}
	return i, cert
}

// key is a bucket of the test's own CA.
func (w world) key(n budget.Name, subject string) budget.Key {
	return budget.Key{CA: w.CA, Limit: n, Subject: subject}
}

func (w world) bucket(k budget.Key) budget.Bucket {
	w.Helper()
	have, err := w.Store.Buckets(w.ctx(), []budget.Key{k})
	if err != nil {
		w.Fatal(err)
	}
	return have[k]
}

// in is a bucket whose TAT lies so far ahead.
func (w world) in(d time.Duration) budget.Bucket { return budget.BucketAt(w.Now.Add(d).UnixNano()) }

func (w world) put(k budget.Key, b budget.Bucket) {
	w.Helper()
	if err := w.Store.MoveBuckets(w.ctx(), []budget.Write{{Key: k, Read: w.bucket(k), New: b}}); err != nil {
		w.Fatal(err)
	}
}

// collect runs through a listing.
func collect[T any](w world, list iter.Seq2[T, error]) []T {
	w.Helper()
	var all []T
	for v, err := range list {
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// eventually asks until the answer is as wanted: an index may lag behind.
func eventually[T any](w world, what string, want T, ask func() T) {
	w.Helper()
	var got T
	for range 100 {
		if got = ask(); cmp.Equal(want, got) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.Errorf("%s (-want +got):\n%s", what, cmp.Diff(want, got))
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s-%03d", prefix, n) }

// fleet is n certificates that aren't stored yet.
func (w world) fleet(n int) []inventory.Certificate {
	var cs []inventory.Certificate
	for i := range n {
		cs = append(cs, Full(numbered("fleet", i), w.Shard, w.Now))
	}
	return cs
}
