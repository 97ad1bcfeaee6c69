package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

// Walk makes random calls, many of them with what is long out of date, and holds every answer to the model's. open makes an empty
// backend for each walk.
func Walk(t *testing.T, open func(t *testing.T) Backend) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{T: rt, b: open(t), m: newModel(), ctx: t}
		m.now = m.b.Now
		rt.Repeat(map[string]func(*rapid.T){
			"":        func(*rapid.T) {},
			"wait":    m.wait,
			"save":    m.save,
			"claim":   m.claim,
			"advance": m.advance,
			"spend":   m.spend,
			"close":   m.close,
			"move":    m.move,
			"acquire": m.acquire,
			"release": m.release,
			"repeat":  m.repeat,
		})
		m.lookBack()
	})
}

// machine remembers all that it was ever told, and uses it.
type machine struct {
	*rapid.T
	ctx *testing.T
	b   Backend
	m   *model
	now time.Time

	serial    int // makes every write different from all others
	certs     []inventory.Certificate
	issuances []renew.Issuance
	last      func() (any, error) // the last call that succeeded
	answer    any
}

func (m *machine) wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 8).Draw(t, "minutes")) * time.Minute)
}

func (m *machine) next() time.Duration {
	m.serial++
	return time.Duration(m.serial)
}

// run makes a call and compares its verdict. What succeeded may be repeated until the next call.
func (m *machine) run(t *rapid.T, want verdict, call func() (any, error)) any {
	answer, err := call()
	if got := verdictOf(err); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	m.last = nil
	if err == nil {
		m.last, m.answer = call, answer
	}
	return answer
}

// repeat makes the last call again, as whoever didn't get its answer does. It must give the same.
func (m *machine) repeat(t *rapid.T) {
	if m.last == nil {
		t.Skip("nothing to repeat")
	}
	again, err := m.last()
	if err != nil {
		t.Fatalf("repeating what succeeded: %v", err)
	}
	if diff := cmp.Diff(m.answer, again); diff != "" {
		t.Fatalf("repeating gave something else (-first +again):\n%s", diff)
	}
}

func (m *machine) certificate(t *rapid.T) inventory.Certificate {
	fresh := inventory.Certificate{Name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), Shard: m.b.Shard}
	fresh.Status.Due = m.now
	n := rapid.IntRange(-1, len(m.certs)-1).Draw(t, "certificate")
	if n < 0 {
		return fresh
	}
	return m.certs[len(m.certs)-1-n] // smaller numbers are younger
}

func (m *machine) issuance(t *rapid.T) renew.Issuance {
	if len(m.issuances) == 0 {
		t.Skip("no issuance yet")
	}
	return m.issuances[len(m.issuances)-1-rapid.IntRange(0, len(m.issuances)-1).Draw(t, "issuance")]
}

func (m *machine) save(t *rapid.T) {
	c := m.certificate(t)
	c.Status.At = m.now.Add(m.next())
	saved := m.run(t, m.m.save(c), func() (any, error) { return m.b.Store.SaveCertificate(m.ctx.Context(), c) })
	m.keep(saved.(inventory.Certificate))
}

// keep remembers a certificate that was given.
func (m *machine) keep(c inventory.Certificate) {
	if c.Rev > 0 {
		m.certs = append(m.certs, c)
	}
}

type claimAnswer struct {
	Issuance    renew.Issuance
	Certificate inventory.Certificate
}

func (m *machine) claim(t *rapid.T) {
	c := renew.Claim{
		Key: rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "key"), Owner: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "owner"),
		Certificate: m.certificate(t), Now: m.now, Until: m.now.Add(5*time.Minute + m.next()),
	}
	want, fence := m.m.claim(c)
	got := m.run(t, want, func() (any, error) {
		i, cert, err := m.b.Store.Claim(m.ctx.Context(), c)
		return claimAnswer{i, cert}, err
	}).(claimAnswer)
	if want != fine {
		return
	}
	if got.Issuance.Fence != fence || got.Issuance.Owner != c.Owner || got.Issuance.Certificate != c.Certificate.Name {
		t.Fatalf("got fence %d for %s of %s, want %d", got.Issuance.Fence, got.Issuance.Owner, got.Issuance.Certificate, fence)
	}
	m.issuances = append(m.issuances, got.Issuance)
	m.keep(got.Certificate)
}

func (m *machine) advance(t *rapid.T) {
	i := m.issuance(t)
	i.Hold = m.now.Add(time.Duration(rapid.IntRange(-10, 20).Draw(t, "hold")) * time.Minute)
	i.IssuedBy = m.now.Add(m.next())
	if rapid.Bool().Draw(t, "let go") {
		i.Until = m.now
	}
	m.written(t, m.m.progress(i, nil), func() (any, error) { return m.b.Store.Progress(m.ctx.Context(), i) })
}

func (m *machine) written(t *rapid.T, want verdict, call func() (any, error)) {
	if got := m.run(t, want, call).(renew.Issuance); want == fine {
		m.issuances = append(m.issuances, got)
	}
}

// write is a move of one of a few buckets, from what it is or from something else.
func (m *machine) write(t *rapid.T) budget.Write {
	keys := []budget.Key{
		{CA: m.b.CA, Limit: budget.NewOrdersPerAccount, Subject: "0"}, {CA: m.b.CA, Limit: budget.CertificatesPerExactSet, Subject: "h"},
		{CA: m.b.CA, Limit: budget.FailedAuthorizations, Subject: "0 n"}, {CA: m.b.CA, Limit: budget.ConsecutiveFailures, Subject: "0 n"},
	}
	w := budget.Write{Key: rapid.SampledFrom(keys).Draw(t, "bucket"), New: budget.BucketAt(m.now.Add(time.Hour + m.next()).UnixNano())}
	if rapid.IntRange(0, 5).Draw(t, "right") > 0 {
		w.Read = budget.BucketAt(m.m.buckets[w.Key])
	}
	return w
}

func (m *machine) spend(t *rapid.T) {
	i, w := m.issuance(t), m.write(t)
	i.Attempt, i.IssuedBy = i.Attempt+1, m.now.Add(m.next())
	m.written(t, m.m.progress(i, []budget.Write{w}), func() (any, error) {
		return m.b.Store.Spend(m.ctx.Context(), i, []budget.Write{w}, nil)
	})
}

func (m *machine) close(t *rapid.T) {
	i, c := m.issuance(t), m.certificate(t)
	c.Status.At = m.now.Add(m.next())
	closed := m.run(t, m.m.close(i, c), func() (any, error) { return m.b.Store.Close(m.ctx.Context(), i, c) })
	m.keep(closed.(inventory.Certificate))
}

func (m *machine) move(t *rapid.T) {
	w := m.write(t)
	m.run(t, m.m.move(w), func() (any, error) { return nil, m.b.Store.MoveBuckets(m.ctx.Context(), []budget.Write{w}) })
	m.last = nil // a repeat of a move is another move
}

func (m *machine) acquire(t *rapid.T) {
	owner, until := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "owner"), m.now.Add(5*time.Minute)
	now := m.now
	want, fence := m.m.acquire(owner, now, until)
	got := m.run(t, want, func() (any, error) { return m.b.Store.AcquireWorker(m.ctx.Context(), m.b.Shard, owner, now, until) })
	if got != fence {
		t.Fatalf("got fence %d, want %d", got, fence)
	}
}

func (m *machine) release(t *rapid.T) {
	owner, fence := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "owner"), m.m.lease.fence-int64(rapid.IntRange(0, 1).Draw(t, "old"))
	m.m.release(owner, fence)
	m.run(t, fine, func() (any, error) { return nil, m.b.Store.ReleaseWorker(m.ctx.Context(), m.b.Shard, owner, fence, 0) })
}

// lookBack compares all that is stored at the end of a walk.
func (m *machine) lookBack() {
	for _, name := range []string{"a", "b", "c"} {
		c, err := m.b.Store.Certificate(m.ctx.Context(), name)
		if m.m.revs[name] == 0 && verdictOf(err) != unknown || c.Rev != m.m.revs[name] {
			m.Fatalf("certificate %s: revision %d (%v), want %d", name, c.Rev, err, m.m.revs[name])
		}
	}
	for k, tat := range m.m.buckets {
		have, err := m.b.Store.Buckets(m.ctx.Context(), []budget.Key{k})
		if err != nil || have[k].TATNanos() != tat {
			m.Fatalf("bucket %s: %v (%v), want %d", k, have, err, tat)
		}
	}
}
