package boulder

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/reason"
)

// strike ends one of the CA's parts at a request of a kind, and starts it again a moment later.
type strike struct {
	part string
	kind ca.Kind
	how  how
	ends bool // it may end orders, and the CA says so
}

// how a part ends.
type how string

const (
	stopped how = "stopped before"        // as an operator does it, before the CA gets the request
	killed  how = "killed before"         // as a machine that dies does it, before the CA gets the request
	amid    how = "killed amid"           // while the CA works on the request
	soon        = 40 * time.Millisecond   // how far the CA gets then
	absent      = 1500 * time.Millisecond // how long a part is away
)

// strikes are of every part that issuance needs. MariaDB is stopped only: as it runs here it
// forgets the last second where it is killed.
func strikes() []strike {
	return []strike{
		{part: "wfe2", how: killed, kind: ca.KindOrder},
		{part: "wfe2", how: amid, kind: ca.KindNewOrder},
		{part: "nonce", how: killed, kind: ca.KindNewOrder},
		{part: "redis", how: killed, kind: ca.KindNewOrder},
		{part: "sa", how: killed, kind: ca.KindAuthorization},
		{part: "sa", how: amid, kind: ca.KindNewOrder},
		{part: "ra", how: killed, kind: ca.KindNewOrder},
		{part: "ra", how: stopped, kind: ca.KindFinalize},
		{part: "va", how: killed, kind: ca.KindChallenge, ends: true},
		{part: "va", how: amid, kind: ca.KindChallenge, ends: true},
		{part: "ra", how: amid, kind: ca.KindChallenge},
		{part: "rva0", how: amid, kind: ca.KindChallenge},
		{part: "ca", how: killed, kind: ca.KindFinalize, ends: true},
		{part: "ca", how: amid, kind: ca.KindFinalize, ends: true},
		{part: "mariadb", how: stopped, kind: ca.KindOrder},
	}
}

func (s strike) String() string { return fmt.Sprintf("%s %s %s", s.part, s.how, s.kind) }

// aim has it happen at the first request of the kind for one of the names.
func (s strike) aim(t *testing.T, r *rig, names []string) (back chan struct{}, remove func()) {
	var once sync.Once
	back = make(chan struct{})
	return back, r.CA.OnBefore(func(q ca.Request) ca.Verdict {
		if q.Kind != s.kind || !slices.ContainsFunc(q.Names, func(n string) bool { return slices.Contains(names, n) }) {
			return ca.Pass()
		}
		once.Do(func() {
			if s.how != amid {
				s.end(t, r)
			}
			go func() {
				defer close(back)
				if s.how == amid {
					time.Sleep(soon)
					s.end(t, r)
				}
				time.Sleep(absent)
				if err := r.Boulder.StartParts(context.Background(), s.part); err != nil {
					t.Error(err)
				}
			}()
		})
		return ca.Pass()
	})
}

func (s strike) end(t *testing.T, r *rig) {
	end := r.Boulder.Kill
	if s.how == stopped {
		end = r.Boulder.Stop
	}
	if err := end(s.part); err != nil {
		t.Error(err)
	}
}

// Whatever part ends: one certificate for each, and one order, but where the CA itself ended the
// order with the part. That it then says: a validation that it couldn't carry out failed, and an
// order that it couldn't finalize has an error.
func TestRestartsOfTheCAsPartsLoseNothing(t *testing.T) {
	whole(t)
	r := start(t, nil)
	r.Watch(t)
	var c comparison
	began, all := time.Now(), strikes()
	for n, s := range all {
		t.Run(s.String(), func(t *testing.T) { s.survive(t, r, n, &c) })
	}
	now, wanted := r.counted(t), together*len(all)
	t.Logf("%d restarts in %s: %+v, %d requests were denied", len(all), time.Since(began).Round(time.Second), now, r.denied())
	if now.Certificates != wanted || now.Orders != wanted+now.Failed+now.Errors || now.Processing != 0 {
		t.Errorf("the CA has %+v; want %d certificates, and no order more but for those that it ended", now, wanted)
	}
	if now.Signed > wanted+now.Errors { // it may sign a precertificate before it fails
		t.Errorf("the CA signed %d precertificates", now.Signed)
	}
	if n := r.denied(); n != 0 {
		t.Errorf("the CA answered 429 to %d requests", n)
	}
	c.check(t)
}

func (r *rig) counted(t *testing.T) boulder.Counts {
	t.Helper()
	c, err := r.Boulder.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// together is how many certificates are under way when a part ends.
const together = 3

// survive issues certificates while the part ends.
func (s strike) survive(t *testing.T, r *rig, n int, c *comparison) {
	fleet, names := s.fleet(t, r, n)
	before := r.counted(t)
	back, remove := s.aim(t, r, names)
	defer remove()
	began := time.Now()
	r.Apply(t, fleet...)
	r.RunTick(t)
	witness.Happened(t, s.String(), back)
	for end := began.Add(time.Minute); !r.issuedAll(t, fleet); {
		if time.Now().After(end) {
			t.Fatal("a minute later not all is issued")
		}
		time.Sleep(time.Second)
		r.RunTick(t)
		c.look(t, r)
	}
	c.look(t, r)
	now := r.counted(t)
	t.Logf("%s: %+v after %+v", time.Since(began).Round(100*time.Millisecond), now, before)
	if ended := now.Failed + now.Errors - before.Failed - before.Errors; ended > 0 && !s.ends {
		t.Errorf("the CA ended %d orders", ended)
	}
	for _, e := range fleet {
		r.Stored(t, e.Name)
		if n := len(r.CertificatesOf(e.Domains...)); n != 1 {
			t.Errorf("%s: the CA signed %d certificates", e.Name, n)
		}
	}
}

// fleet is what is issued meanwhile, in a zone of its own.
func (s strike) fleet(t *testing.T, r *rig, n int) (fleet []witness.Entry, names []string) {
	t.Helper()
	domain := fmt.Sprintf("restart-%02d.com", n)
	r.MakeZone(t, domain)
	for i := range together {
		name := fmt.Sprintf("www%d.%s", i, domain)
		fleet = append(fleet, witness.Entry{Name: fmt.Sprintf("r%02d-%d", n, i), Domains: []string{name}})
		names = append(names, name)
	}
	return fleet, names
}

// issuedAll says whether they are. What is to be tried later is tried now.
func (r *rig) issuedAll(t *testing.T, fleet []witness.Entry) bool {
	t.Helper()
	all := true
	for _, e := range fleet {
		now := r.entry(t, e.Name)
		if now.InUse != nil && now.Status.Issuance == "" {
			continue
		}
		all = false
		if now.Status.NextAttempt.After(time.Now()) && now.Status.Reason != reason.InProgress {
			t.Logf("%s: %s: %s", e.Name, now.Status.Reason, now.Status.Message)
			r.AgeAttempt(t, e.Name)
		}
	}
	return all
}
