package kill

import (
	"bytes"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/emulator"
)

// shot kills the worker once, and tells.
type shot struct {
	w    *witness.World
	once sync.Once
	hit  chan struct{}
}

func (s *shot) fire() (first bool) {
	s.once.Do(func() {
		first = true
		s.w.Kill()
		close(s.hit)
	})
	return first
}

// point is a moment in an issuance of a certificate for one domain, as somebody outside sees it.
type point struct {
	name string
	aim  func(s *shot, domain string) (remove func())
}

// before is the moment at which the CA gets a request: it is lost with the worker.
func before(kind ca.Kind) func(*shot, string) func() {
	return func(s *shot, domain string) func() {
		return s.w.CA.OnBefore(func(r ca.Request) ca.Verdict {
			if r.Kind == kind && r.Method == http.MethodPost && slices.Contains(r.Names, domain) && s.fire() {
				return ca.Cut()
			}
			return ca.Pass()
		})
	}
}

// after is the moment at which the CA has done what it was asked for: only the answer is lost.
func after(kind ca.Kind) func(*shot, string) func() {
	return func(s *shot, domain string) func() {
		return s.w.CA.OnAfter(func(r ca.Request) ca.Verdict {
			ours := kind == ca.KindNewAccount || slices.Contains(r.Names, domain)
			if r.Kind == kind && r.Method == http.MethodPost && r.Upstream < 300 && ours && s.fire() {
				return ca.Cut()
			}
			return ca.Pass()
		})
	}
}

// unwritten is the moment at which AWS gets a call with these words in it: nothing of it is done.
func unwritten(call string, words ...string) func(*shot, string) func() {
	return func(s *shot, _ string) func() {
		return s.w.AWS.Before(func(c emulator.Call) emulator.Verdict {
			if matches(c, call, words) && s.fire() {
				return emulator.CutBefore
			}
			return emulator.Pass
		})
	}
}

// written is the moment at which AWS has done it: only the answer is lost.
func written(call string, words ...string) func(*shot, string) func() {
	return func(s *shot, _ string) func() {
		return s.w.AWS.After(func(c emulator.Call, a emulator.Answer) {
			if a.Status < 300 && matches(c, call, words) {
				s.fire()
			}
		})
	}
}

func matches(c emulator.Call, call string, words []string) bool {
	return c.Name() == call && !slices.ContainsFunc(words, func(w string) bool { return !bytes.Contains(c.Body, []byte(w)) })
}

const (
	zoneChange = "route53:ChangeResourceRecordSets"
	newSecret  = "secretsmanager:CreateSecret"
	newVersion = "secretsmanager:PutSecretValue"
	moveLabel  = "secretsmanager:UpdateSecretVersionStage"
	dropSecret = "secretsmanager:DeleteSecret"
)

// points are in the order in which an issuance meets them; the account is registered by the first of all issuances only.
func points() []point {
	return []point{
		{name: "after the account was registered", aim: after(ca.KindNewAccount)},
		{name: "after the key was kept safe", aim: written(newSecret, "certpace/pending/")},
		{name: "before newOrder reached the CA", aim: before(ca.KindNewOrder)},
		{name: "before newOrder's answer came", aim: after(ca.KindNewOrder)},
		{name: "after newOrder's answer came", aim: before(ca.KindAuthorization)},
		{name: "after the values were written", aim: written(zoneChange, "CREATE")},
		{name: "after a challenge was accepted", aim: after(ca.KindChallenge)},
		{name: "before finalize reached the CA", aim: before(ca.KindFinalize)},
		{name: "before finalize's answer came", aim: after(ca.KindFinalize)},
		{name: "after the first version was written", aim: written(newSecret, "TLS certificate")},
		{name: "after the key was dropped", aim: written(dropSecret, "certpace/pending/")},
	}
}

// renewalPoints are those that only an issuance meets which finds a version in use.
func renewalPoints() []point {
	return []point{
		{name: "before a new version was written", aim: unwritten(newVersion, "AWSPENDING")},
		{name: "after a new version was written", aim: written(newVersion, "AWSPENDING")},
		{name: "after the new version became current", aim: written(moveLabel, "AWSCURRENT")},
	}
}

// shoot has the worker killed at a point of the next issuance for a domain.
func shoot(t *testing.T, w *witness.World, p point, domain string) *shot {
	t.Helper()
	s := &shot{w: w, hit: make(chan struct{})}
	t.Cleanup(p.aim(s, domain))
	return s
}
