package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
)

var claims = []scenario{
	{"a first claim opens an issuance of what is wanted", func(w world) {
		c := w.stored("www")
		i, cert := w.claim(w.claimOf(c, "k", "me", w.Now))
		if i.ID == "" || i.Fence < 1 {
			w.Errorf("id %q, fence %d", i.ID, i.Fence)
		}
		w.same("the issuance", i, renew.Issuance{
			Key: "k", ID: i.ID, Shard: w.Shard, Certificate: "www", Owner: "me", Fence: i.Fence, Until: w.Now.Add(10 * time.Minute), Rev: 1,
			Job: w.claimOf(c, "", "", w.Now).Job, Wanted: c.Ordered(), Opened: w.Now,
		})
		c.Status.Issuance, c.Status.Due, c.Rev = "k", i.Until, 2
		w.same("the certificate", cert, c)
		w.same("the certificate as stored", w.load("www"), c)
		eventually(w, "open issuances", []renew.Issuance{i}, func() []renew.Issuance { return collect(w, w.Store.EachIssuance(w.ctx())) })
	}},
	{"it is for the CA that the plan has chosen, whichever that is later", func(w world) {
		c := w.stored("www")
		i, cert := w.claim(w.claimOf(c, "k", "me", w.Now))
		want := c.Wanted.AtFallback()
		w.same("what is ordered of the second CA", i.Wanted, want)
		w.same("what is wanted stays", w.load("www").Wanted, c.Wanted)
		cert.Status.Fallback = ""
		cert = w.save(cert)
		i, cert = w.claim(w.claimOf(cert, "k", "you", i.Until))
		w.same("what is ordered, once it was begun", i.Wanted, want)
		first, _ := w.claim(w.claimOf(cert, "k2", "you", i.Until))
		w.same("what is ordered of the first CA", first.Wanted, c.Wanted)
	}},
	{"while its lease lasts nobody else gets it", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		_, _, err := w.Store.Claim(w.ctx(), w.claimOf(cert, "k", "you", i.Until.Add(-time.Nanosecond)))
		w.isHeld(err, "www", i.Until)
		w.same("the certificate", w.load("www"), cert)
	}},
	{"once its lease has ended it is taken over with all its progress", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		i = w.advanced(i)
		taken, after := w.claim(w.claimOf(cert, "k", "you", i.Until))
		want := i
		want.Owner, want.Fence, want.Rev, want.Until = "you", i.Fence+1, i.Rev+1, i.Until.Add(10*time.Minute)
		w.same("the issuance", taken, want)
		w.same("when the certificate is due", after.Status.Due, want.Until)
		_, err := w.Store.Progress(w.ctx(), i)
		w.fails("the old owner's progress", err, renew.ErrLost)
	}},
	{"its owner gets it again, with the same fence", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		again, _ := w.claim(w.claimOf(cert, "k", "me", w.Now.Add(time.Minute)))
		want := i
		want.Rev, want.Until = i.Rev+1, i.Until.Add(time.Minute)
		w.same("the issuance", again, want)
	}},
	{"the very same claim again gives the very same", func(w world) {
		c := w.claimOf(w.stored("www"), "k", "me", w.Now)
		i, cert := w.claim(c)
		again, certAgain := w.claim(c)
		w.same("the issuance", again, i)
		w.same("the certificate", certAgain, cert)
	}},
	{"a certificate that was changed meanwhile is a conflict, and nothing is opened", func(w world) {
		old := w.stored("www")
		changed := old
		changed.Status.Message = "changed"
		w.save(changed)
		_, _, err := w.Store.Claim(w.ctx(), w.claimOf(old, "k", "me", w.Now))
		w.fails("claiming", err, renew.ErrConflict)
		i, _ := w.claim(w.claimOf(w.load("www"), "k", "you", w.Now))
		w.same("the revision of what is opened then", i.Rev, int64(1))
	}},
	{"a certificate that isn't stored can't be claimed", func(w world) {
		_, _, err := w.Store.Claim(w.ctx(), w.claimOf(Full("ghost", w.Shard, w.Now), "k", "me", w.Now))
		w.fails("claiming", err, renew.ErrConflict)
		_, err = w.Store.Certificate(w.ctx(), "ghost")
		w.fails("loading", err, renew.ErrUnknown)
	}},
	{"another certificate of the same names waits for the lease", func(w world) {
		i, _ := w.claim(w.claimOf(w.stored("one"), "k", "me", w.Now))
		_, _, err := w.Store.Claim(w.ctx(), w.claimOf(w.stored("two"), "k", "me", w.Now)) // even of the same invocation
		w.isHeld(err, "one", i.Until)
	}},
	{"another certificate of the same names waits for the hold, too", func(w world) {
		i, _ := w.claim(w.claimOf(w.stored("one"), "k", "me", w.Now))
		i.Hold = i.Until.Add(time.Hour)
		_, err := w.Store.Progress(w.ctx(), i)
		w.ok(err)
		two := w.stored("two")
		_, _, err = w.Store.Claim(w.ctx(), w.claimOf(two, "k", "you", i.Until))
		w.isHeld(err, "one", i.Hold)
		fresh, _ := w.claim(w.claimOf(two, "k", "you", i.Hold))
		w.same("whose it is then", fresh.Certificate, "two")
	}},
	{"a hold doesn't keep the certificate itself out", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("one"), "k", "me", w.Now))
		i.Hold = i.Until.Add(time.Hour)
		i, err := w.Store.Progress(w.ctx(), i)
		w.ok(err)
		taken, _ := w.claim(w.claimOf(cert, "k", "you", i.Until))
		w.same("the hold", taken.Hold, i.Hold)
	}},
	{"an abandoned one leaves a new one nothing but its records, and where its key is", func(w world) {
		i, _ := w.claim(w.claimOf(w.stored("one"), "k", "me", w.Now))
		i = w.advanced(i)
		two := w.stored("two")
		c := w.claimOf(two, "k", "you", i.Hold.Add(time.Hour))
		fresh, _ := w.claim(c)
		w.same("the issuance", fresh, renew.Issuance{
			Key: "k", ID: fresh.ID, Shard: w.Shard, Certificate: "two", Owner: "you", Fence: i.Fence + 1, Until: c.Until, Rev: 1,
			Job: c.Job, Wanted: two.Ordered(), Opened: c.Now, Records: i.Records,
			Orphans: append(i.Orphans, renew.Orphan{Certificate: "one", ID: i.ID}),
		})
		if fresh.ID == i.ID {
			w.Error("the new one has the old one's id")
		}
	}},
	{"claims of different keys know nothing of each other", func(w world) {
		c := w.stored("www")
		one, cert := w.claim(w.claimOf(c, "k1", "me", w.Now))
		two, _ := w.claim(w.claimOf(cert, "k2", "me", w.Now))
		if one.ID == two.ID {
			w.Error("two issuances have one id")
		}
	}},
	{"the fence never goes back, over any number of owners and closings", func(w world) {
		cert, last := w.stored("www"), int64(0)
		now := w.Now
		for n := range 6 {
			i, claimed := w.claim(w.claimOf(cert, "k", numbered("owner", n), now))
			if i.Fence <= last {
				w.Fatalf("fence %d after %d", i.Fence, last)
			}
			last, cert, now = i.Fence, claimed, i.Until
			if n%2 == 1 {
				var err error
				cert, err = w.Store.Close(w.ctx(), i, cert)
				w.ok(err)
			}
		}
	}},
	{"a claim that names nobody is refused", func(w world) {
		_, _, err := w.Store.Claim(w.ctx(), w.claimOf(w.stored("www"), "k", "", w.Now))
		w.failsAs("claiming", err, renew.Never, "configuration")
	}},
}

// advanced writes progress into every field of an issuance.
func (w world) advanced(i renew.Issuance) renew.Issuance {
	w.Helper()
	i = Advanced(i)
	i, err := w.Store.Progress(w.ctx(), i)
	if err != nil {
		w.Fatal(err)
	}
	return i
}

// Advanced is i with something in every field that its owner writes.
func Advanced(i renew.Issuance) renew.Issuance {
	i.Hold = i.Until.Add(time.Hour)
	i.Attempt, i.IssuedBy, i.Sent, i.Finalized = 2, i.Until, true, true
	i.Paid = []budget.Paid{
		{Key: budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com"}, Place: i.Until.Add(time.Hour)},
		{Key: budget.Key{CA: "ca.example", Limit: budget.CertificatesPerExactSet, Subject: "0af1"}},
	}
	i.Told, i.ToldAt = []string{"*.example.com", "example.com"}, i.Opened.Add(time.Minute)
	i.Account, i.Replaces, i.OrderURL = "https://ca.example/acct/1", "aki.serial", "https://ca.example/order/7"
	i.Rehearsal, i.Rehearsed = "https://staging.ca.example/directory", true
	i.IssuedAt = i.Opened.Add(time.Second + 1)
	i.Result = Full(i.Certificate, i.Shard, i.Opened).InUse
	i.Orphans = []renew.Orphan{{Certificate: "zero", ID: "0"}}
	i.Records = []renew.Record{{
		Challenge: renew.Challenge{Domain: "*.example.com", Token: "t", KeyAuthorization: "t.k", Value: "v"},
		Provider:  "route53", ZoneID: "Z1", RoleARN: "r", RoleExternalID: "x", FQDN: "_acme-challenge.example.com.",
	}}
	return i
}
