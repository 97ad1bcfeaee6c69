package boulder

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/lab/boulder"
)

// matrix has a certificate of each kind.
func matrix() []witness.Entry {
	names := func(n int, of string) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("n%02d.%s", i, of))
		}
		return all
	}
	return []witness.Entry{
		{Name: "ec256", Domains: []string{"ec256.matrix-one.com"}},
		{Name: "ec384", Domains: []string{"ec384.matrix-one.com"}, KeyType: "ec384"},
		{Name: "rsa2048", Domains: []string{"rsa2048.matrix-one.com"}, KeyType: "rsa2048"},
		{Name: "rsa4096", Domains: []string{"rsa4096.matrix-one.com"}, KeyType: "rsa4096"},
		{Name: "apex", Domains: []string{"matrix-one.com", "*.matrix-one.com"}},
		{Name: "many", Domains: names(42, "many.matrix-two.com")},
		{Name: "hundred", Domains: names(100, "hundred.matrix-two.com")},
		{Name: "delegated", Domains: []string{"delegated.matrix-one.com"}},
		{Name: "tlsserver", Domains: []string{"tlsserver.matrix-one.com"}, Profile: "tlsserver"},
		{Name: "shortlived", Domains: []string{"shortlived.matrix-one.com"}, Profile: "shortlived"},
		{Name: "alternate", Domains: []string{"alternate.matrix-one.com"}, Chain: "lab root-rsa"},
		{Name: "pair-ecdsa", Domains: []string{"pair.matrix-one.com"}},
		{Name: "pair-rsa", Domains: []string{"pair.matrix-one.com"}, KeyType: "rsa2048"},
	}
}

func TestEveryKindOfCertificateIsIssued(t *testing.T) {
	r := start(t, nil)
	r.Watch(t)
	zone := r.MakeZone(t, "matrix-one.com")
	r.MakeZone(t, "matrix-two.com")
	r.MakeZone(t, "matrix-validation.com")
	if err := r.Point(context.Background(), zone, "_acme-challenge.delegated.matrix-one.com", "delegated.matrix-validation.com"); err != nil {
		t.Fatal(err)
	}
	fleet, began := matrix(), time.Now()
	// The last one has the names of another one, which goes first.
	r.Issue(t, fleet[:len(fleet)-1]...)
	r.Issue(t, fleet[len(fleet)-1])
	t.Logf("%d certificates were issued in %s", len(fleet), time.Since(began).Round(100*time.Millisecond))
	for _, e := range fleet {
		t.Run(e.Name+" is stored, its chain verifies, and it has the timestamps of two logs", func(t *testing.T) {
			r.fits(t, e, r.Stored(t, e.Name))
		})
	}
	r.weigh(t)
	t.Run("the CA counts one order and one certificate for each, and denied nothing", func(t *testing.T) {
		r.counts(t, len(fleet), len(fleet))
	})
	t.Run("no bucket is fuller here than at the CA", func(t *testing.T) {
		var c comparison
		c.look(t, r)
		c.check(t)
	})
	t.Run("what is revoked is replaced first", func(t *testing.T) { r.revoke(t, "ec384") })
	t.Run("an incident brings a new certificate", func(t *testing.T) {
		whole(t)
		r.incident(t, "ec256")
	})
	t.Run("the CA counts what was replaced, and denied nothing", func(t *testing.T) {
		n := len(r.CA.Issued())
		r.counts(t, n, n)
	})
}

// weigh prints how many processes the CA is, and what they hold in memory. Only Linux tells.
func (r *rig) weigh(t *testing.T) {
	t.Helper()
	var kB int
	pids := r.Boulder.PIDs()
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return
		}
		for line := range strings.Lines(string(text)) {
			if of, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				n, _ := strconv.Atoi(strings.Fields(of)[0])
				kB += n
			}
		}
	}
	t.Logf("the CA is %d processes, with %d MB resident", len(pids), kB/1024)
}

// fits holds a certificate to what its entry asked for, and to what browsers ask for.
func (r *rig) fits(t *testing.T, e witness.Entry, s witness.Stored) {
	t.Helper()
	if n := timestamps(t, s); n != 2 {
		t.Errorf("it has timestamps of %d logs", n)
	}
	life := map[string]time.Duration{"": 90 * 24 * time.Hour, "tlsserver": 45 * 24 * time.Hour, "shortlived": 160 * time.Hour}[e.Profile]
	if got := s.NotAfter.Sub(s.NotBefore).Round(time.Minute); got != life {
		t.Errorf("it lives %s, want %s", got, life)
	}
	wanted := map[string]string{"": "ec256"}[e.KeyType] + e.KeyType
	if s.KeyType != wanted || keyBits(s) != wanted {
		t.Errorf("its key is %s, %s; want %s", s.KeyType, keyBits(s), wanted)
	}
	if len(s.Domains) != len(e.Domains) {
		t.Errorf("it has %d names, want %d", len(s.Domains), len(e.Domains))
	}
	if last := lastIssuer(t, s); e.Chain != "" && last != e.Chain {
		t.Errorf("its chain leads to %q, want %q", last, e.Chain)
	}
}

func keyBits(s witness.Stored) string {
	switch key := s.Key.(type) {
	case *ecdsa.PrivateKey:
		return fmt.Sprintf("ec%d", key.Curve.Params().BitSize)
	case *rsa.PrivateKey:
		return fmt.Sprintf("rsa%d", key.N.BitLen())
	}
	return fmt.Sprintf("%T", s.Key)
}

// sctList is the extension that holds the timestamps of CT logs (RFC 6962, 3.3).
var sctList = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}

// timestamps counts the logs whose timestamps a certificate has.
func timestamps(t *testing.T, s witness.Stored) int {
	t.Helper()
	logs := map[string]bool{}
	for _, e := range s.Leaf.Extensions {
		if !e.Id.Equal(sctList) {
			continue
		}
		var list []byte
		if _, err := asn1.Unmarshal(e.Value, &list); err != nil || len(list) < 2 {
			t.Fatalf("reading the timestamps: %v", err)
		}
		for list = list[2:]; len(list) > 2; {
			n := int(binary.BigEndian.Uint16(list))
			if n < 33 || len(list) < 2+n {
				t.Fatalf("a timestamp of %d bytes, where %d are left", n, len(list)-2)
			}
			logs[string(list[3:35])] = true // after the length and the version: the log's id
			list = list[2+n:]
		}
	}
	return len(logs)
}

// lastIssuer is the common name of what issued the last of the chain: its root.
func lastIssuer(t *testing.T, s witness.Stored) string {
	t.Helper()
	chain := witness.Certificates(t, s.Chain)
	return chain[len(chain)-1].Issuer.CommonName
}

// counts holds what the CA has: in its log nothing denied, in its database so many orders and
// certificates, and no precertificate without one.
func (r *rig) counts(t *testing.T, orders, certificates int) {
	t.Helper()
	c, err := r.Boulder.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if c.Orders != orders || c.Certificates != certificates || c.Signed != certificates || c.Failed != 0 {
		t.Errorf("the CA has %+v; want %d orders, %d certificates, nothing failed", c, orders, certificates)
	}
	if n := r.denied(); n != 0 {
		t.Errorf("the CA answered 429 to %d requests", n)
	}
}

// asked makes the planner ask the CA about a certificate's window now, and believe the answer: on
// the day of issuance it wouldn't.
func (r *rig) asked(t *testing.T, name string) {
	t.Helper()
	r.RunTick(t) // it gets its place, and with that its first question
	r.AgeIssue(t, name)
	r.AgeWatch(t, name)
	r.due(t)
}

// due holds that the planner asks the CA, and schedules the one certificate that it has to.
func (r *rig) due(t *testing.T) {
	t.Helper()
	first := r.RunTick(t)
	if first.Asked == 0 {
		t.Errorf("the tick asked for no window: %+v", first)
	}
	if second := r.RunTick(t); first.Scheduled+second.Scheduled != 1 {
		t.Errorf("the ticks scheduled %+v and %+v", first, second)
	}
}

func (r *rig) incident(t *testing.T, name string) {
	t.Helper()
	before := r.Stored(t, name)
	// The window of an incident began an hour ago. One that begins before the certificate isn't
	// followed, else each renewal would call for the next; the CA dates it 58.5 minutes back.
	time.Sleep(time.Until(before.NotBefore.Add(time.Hour + 2*time.Second)))
	if err := r.Boulder.Incident(context.Background(), "https://certpace-lab.com/incident", time.Now().Add(24*time.Hour), before.Serial); err != nil {
		t.Fatal(err)
	}
	r.asked(t, name)
	r.AwaitIssued(t, name, before.Serial)
	r.Replaced(t, name, "renewal", before)
}

func (r *rig) revoke(t *testing.T, name string) {
	t.Helper()
	before := r.Stored(t, name)
	r.Certpace(t, "", "revoke", name, "--reason", "superseded", "--yes")
	r.AwaitIssued(t, name, before.Serial)
	r.Replaced(t, name, "revoked", before)
	witness.Await(t, "the revocation in the CA's database", func() bool {
		revoked, err := r.Boulder.Revoked(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return slices.Equal(revoked, []string{before.Serial})
	})
}

// An exact set has one token, and that is spent: only what replaces a certificate in its window is
// let through.
func TestWhatReplacesInTheWindowIsExempt(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{budget.CertificatesPerExactSet: {Burst: 1, Count: 1, Period: 168 * time.Hour}})
	r.Watch(t)
	r.MakeZone(t, "window-one.com")
	r.Issue(t, witness.Entry{Name: "window", Domains: []string{"www.window-one.com"}})
	before := r.Stored(t, "window")
	r.RunTick(t) // it gets its place, and with that its first question
	// The window is a fiftieth of the life about two thirds of it (docs/limits.md, section 5): now is
	// its middle.
	const life = 90 * 24 * time.Hour
	if err := r.Boulder.Age(context.Background(), before.Serial, life*2/3); err != nil {
		t.Fatal(err)
	}
	r.AgeCertificate(t, "window", life/3)
	r.AgeWatch(t, "window")
	ticked, why := r.RunTick(t), "renewal"
	if ticked.Asked == 0 || ticked.Moved == 0 {
		t.Errorf("the tick did %+v", ticked)
	}
	if ticked.Scheduled == 0 { // the moment that certpace chose in the window is still to come
		r.Certpace(t, "", "reissue", "--force", "window")
		why = "manual"
	}
	r.AwaitIssued(t, "window", before.Serial)
	r.Replaced(t, "window", why, before)
	r.counts(t, 2, 2)
}

// The first CA has no token before the certificate ends; the second one, which is no Boulder, issues.
func TestASecondCAIssuesWhatTheFirstCant(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{budget.CertificatesPerExactSet: {Burst: 1, Count: 1, Period: 365 * 24 * time.Hour}})
	r.Watch(t)
	r.MakeZone(t, "second-one.com")
	other, err := r.SecondCA()
	if err != nil {
		t.Fatal(err)
	}
	second, names := r.At(other), []string{"www.second-one.com"}
	r.Issue(t, witness.Entry{Name: "second", Domains: names, Fallback: &witness.Fallback{Directory: other.DirectoryURL()}})
	before := r.Stored(t, "second")
	r.AgeCertificate(t, "second", 5*24*time.Hour)
	if s := r.RunTick(t); s.Fallback != 1 {
		t.Errorf("the tick did %+v", s)
	}
	r.AwaitIssued(t, "second", before.Serial)
	second.Stored(t, "second")
	if e := r.LastEvent(t, "second"); e.Kind != event.CertificateIssued || !strings.Contains(e.Detail.Message, "by the second CA") {
		t.Errorf("the event is %+v", e)
	}
	r.counts(t, 1, 1)
}
