package boulder

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/reason"
)

// fail lets a certificate's validation fail until its failures are so many: the CA's resolver has
// no answer for the name, though certpace's has.
func (r *rig) fail(t *testing.T, name string, c *comparison, failures int) {
	t.Helper()
	for n := r.Status(t, name).Failures + 1; n <= failures; n++ {
		if n > 1 {
			r.AgeAttempt(t, name)
		}
		r.RunTick(t)
		witness.Await(t, "the next failure", func() bool {
			s := r.Status(t, name)
			return s.Failures == n && !s.InProgress
		})
		if s := r.Status(t, name); s.Reason != reason.ValidationFailed || !strings.Contains(s.Message, "SERVFAIL") {
			t.Errorf("status is %+v", s)
		}
		c.look(t, r)
	}
	counts, err := r.Boulder.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if counts.Failed != failures {
		t.Errorf("the CA counts %d failed authorizations, certpace %d", counts.Failed, failures)
	}
}

func TestFailedValidationsAreCountedOnBothSides(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{
		budget.FailedAuthorizations: {Burst: 3, Count: 3, Period: 90 * time.Second},
		budget.ConsecutiveFailures:  {Burst: 50, Count: 1, Period: 24 * time.Hour},
	})
	r.Watch(t)
	e := r.fleet(t, 1, "failed-one.com")[0]
	mend := r.Boulder.FailDNS("_acme-challenge."+e.Domains[0], "TXT", boulder.Fault{Rcode: "SERVFAIL"})
	r.Apply(t, e)
	var c comparison
	t.Run("each failure is told with the CA's reason", func(t *testing.T) { r.fail(t, e.Name, &c, 3) })
	t.Run("with no token left certpace doesn't ask", func(t *testing.T) {
		r.AgeAttempt(t, e.Name)
		r.RunTick(t)
		s := r.Status(t, e.Name)
		if s.Reason != reason.Budget || s.Limit != string(budget.FailedAuthorizations) || s.NextAttempt == nil || time.Until(*s.NextAttempt) > 30*time.Second+tick {
			t.Errorf("status is %+v", s)
		}
	})
	mend()
	t.Run("with the next token it is issued", func(t *testing.T) {
		stop := r.watched(t, &c)
		defer stop()
		r.AwaitIssued(t, e.Name, "")
		r.Stored(t, e.Name)
	})
	c.look(t, r)
	c.check(t)
	if n := r.denied(); n != 0 {
		t.Errorf("the CA answered 429 to %d requests", n)
	}
}

// The CA allows fewer failures than certpace was told.
func TestTheCAAllowsFewerFailuresThanWasSaid(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{budget.ConsecutiveFailures: {Burst: 50, Count: 1, Period: 24 * time.Hour}})
	r.Watch(t)
	if err := r.Boulder.SetLimits(context.Background(), boulder.Limits{budget.FailedAuthorizations: {Burst: 2, Count: 2, Period: 90 * time.Second}}); err != nil {
		t.Fatal(err)
	}
	e := r.fleet(t, 1, "failing-one.com")[0]
	mend := r.Boulder.FailDNS("_acme-challenge."+e.Domains[0], "TXT", boulder.Fault{Rcode: "SERVFAIL"})
	r.Apply(t, e)
	r.fail(t, e.Name, &comparison{}, 2)
	mend()
	r.learns(t, told{
		limit: budget.FailedAuthorizations, denied: ca.KindNewOrder,
		says: `too many failed authorizations (2) for "` + e.Domains[0] + `"`, most: 45 * time.Second,
	}, e.Name)
}

// The CA pauses an account for a name after fewer failures than certpace was told. Only a person
// ends that, at the CA's own page.
func TestAPauseIsToldAndLifted(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{budget.FailedAuthorizations: plenty})
	if err := r.Boulder.SetLimits(context.Background(), boulder.Limits{budget.ConsecutiveFailures: {Burst: 2, Count: 1, Period: 24 * time.Hour}}); err != nil {
		t.Fatal(err)
	}
	r.Watch(t)
	e := r.fleet(t, 1, "paused-one.com")[0]
	mend := r.Boulder.FailDNS("_acme-challenge."+e.Domains[0], "TXT", boulder.Fault{Rcode: "SERVFAIL"})
	r.Apply(t, e)
	r.fail(t, e.Name, &comparison{}, 3) // two that there is room for, and the one that pauses
	t.Run("the next order is denied once, and is told as a pause", func(t *testing.T) {
		r.AgeAttempt(t, e.Name)
		r.RunTick(t)
		r.AwaitReason(t, e.Name, reason.AccountPaused)
		for range 2 { // it isn't asked again
			r.AgeAttempt(t, e.Name)
			r.RunTick(t)
		}
		if n := r.denied(); n != 1 {
			t.Errorf("the CA denied %d times", n)
		}
	})
	mend()
	t.Run("who opens the link of certpace status lifts it", func(t *testing.T) {
		r.lift(t, r.Status(t, e.Name).Unpause)
		r.Certpace(t, "", "budgets", "resume", e.Name)
		stop := r.watched(t, &comparison{})
		defer stop()
		r.AwaitIssued(t, e.Name, "")
		r.Stored(t, e.Name)
	})
	if n := r.denied(); n != 1 {
		t.Errorf("the CA denied %d times", n)
	}
}

var (
	link = regexp.MustCompile(`https://\S+`)
	form = regexp.MustCompile(`<form action="([^"]+)" method="POST">`)
)

// lift does what a person does at the CA's page: opens the link, and presses the button.
func (r *rig) lift(t *testing.T, words string) {
	t.Helper()
	page := link.FindString(words)
	if page == "" {
		t.Fatalf("status has no link: %q", words)
	}
	action := form.FindStringSubmatch(r.browse(t, http.MethodGet, page))
	if action == nil {
		t.Fatal("the CA's page has no form")
	}
	base, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	submit, err := base.Parse(strings.ReplaceAll(action[1], "&amp;", "&"))
	if err != nil {
		t.Fatal(err)
	}
	if answer := r.browse(t, http.MethodPost, submit.String()); !strings.Contains(answer, "unpaused") {
		t.Errorf("the page says: %s", answer)
	}
}

// browse asks the CA's front as a browser does that trusts its root.
func (r *rig) browse(t *testing.T, method, page string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, page, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(r.CA.TLSRootPEM()) {
		t.Fatal("the front's root is no PEM")
	}
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer browser.CloseIdleConnections()
	answer, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", method, answer.Status, err, body)
	}
	return string(body)
}
