package adopt_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/adopt"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/suffix"
	"github.com/certpace/certpace/internal/vault"
)

var now = time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)

const (
	letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"
	staging     = "https://acme-staging-v02.api.letsencrypt.org/directory"
	otherCA     = "https://ca.example/directory"
	account     = "https://acme-v02.api.letsencrypt.org/acme/acct/1"
	day         = 24 * time.Hour
)

// secrets is a vault in memory. What is staged where there is nothing is current at once, as in the real one.
type secrets struct {
	versions map[string][]renew.Stored // by certificate, the current one last
	pending  map[string]renew.Stored
	foreign  map[string]bool // by certificate: a secret with another content
	untagged map[string]bool
	owners   map[string]string // by certificate: the deployment that it names
	accounts map[string]string // by ARN: the same
	claimed  []string          // ARNs
	writes   int
	promoted int
	dressed  []string // serials
	fail     error    // of Promote
	deny     error    // of Claim
	refuse   error    // of Current
}

func (s *secrets) Current(_ context.Context, name string) (renew.Stored, error) {
	if s.refuse != nil {
		return renew.Stored{}, s.refuse
	}
	if s.foreign[name] {
		return renew.Stored{}, renew.Fail(renew.Never, "configuration", errors.New("reading secret certpace/"+name+": it is not a bundle's JSON object"))
	}
	if v := s.versions[name]; len(v) > 0 {
		return v[len(v)-1], nil
	}
	return renew.Stored{}, renew.ErrNoSecret
}

// Value is Current for whoever has looked whose it is.
func (s *secrets) Value(ctx context.Context, name string) (renew.Stored, error) {
	return s.Current(ctx, name)
}

func (s *secrets) Claim(_ context.Context, arn string) error {
	if s.deny == nil {
		s.claimed = append(s.claimed, arn)
	}
	return s.deny
}

func (s *secrets) EachAccount(context.Context) iter.Seq2[vault.Account, error] {
	return func(yield func(vault.Account, error) bool) {
		for _, arn := range slices.Sorted(maps.Keys(s.accounts)) {
			if !yield(vault.Account{Name: arn, ARN: arn, Deployment: s.accounts[arn]}, nil) {
				return
			}
		}
	}
}

func (s *secrets) Previous(_ context.Context, name string) (renew.Stored, error) {
	if v := s.versions[name]; len(v) > 1 {
		return v[len(v)-2], nil
	}
	return renew.Stored{}, renew.ErrNoSecret
}

func (s *secrets) Stage(_ context.Context, i renew.Issuance, b bundle.Bundle) (renew.Stored, error) {
	s.writes++
	st := renew.Stored{Bundle: b, SecretARN: "arn:" + i.Certificate, VersionID: i.ID + "+" + b.Serial}
	if len(s.versions[i.Certificate]) == 0 && !s.foreign[i.Certificate] {
		s.versions[i.Certificate] = []renew.Stored{st}
	} else {
		s.pending[i.Certificate] = st
	}
	return st, nil
}

func (s *secrets) Promote(_ context.Context, st renew.Stored) error {
	if s.fail != nil {
		return s.fail
	}
	s.promoted++
	name := strings.TrimPrefix(st.SecretARN, "arn:")
	if p, staged := s.pending[name]; staged && p.VersionID == st.VersionID {
		s.versions[name] = append(s.versions[name], st)
		delete(s.pending, name)
		delete(s.foreign, name)
	}
	return nil
}

func (s *secrets) Dress(_ context.Context, want inventory.Secret, st renew.Stored) error {
	s.dressed = append(s.dressed, st.Bundle.Serial)
	return nil
}

func (s *secrets) EachCertificate(context.Context) iter.Seq2[vault.Listed, error] {
	return func(yield func(vault.Listed, error) bool) {
		names := maps.Clone(s.foreign)
		for n := range s.versions {
			names[n] = true
		}
		for _, n := range slices.Sorted(maps.Keys(names)) {
			if !yield(vault.Listed{Certificate: n, Ours: !s.untagged[n], Deployment: s.owners[n], ARN: "arn:" + n, KMSKeyID: "alias/tls"}, nil) {
				return
			}
		}
	}
}

// world is a vault, a table and the planner over it.
type world struct {
	*testing.T
	*adopt.Adopter
	vault *secrets
	table *memory.Store
	ca    map[string]*authority // by the organization's name
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, ca: map[string]*authority{}, vault: &secrets{
		versions: map[string][]renew.Stored{}, pending: map[string]renew.Stored{}, foreign: map[string]bool{}, untagged: map[string]bool{}, owners: map[string]string{}, accounts: map[string]string{},
	}}
	w.loseTable()
	return w
}

// loseTable begins a table anew.
func (w *world) loseTable() {
	w.table = memory.New("0")
	w.table.Now = func() time.Time { return now }
	w.Adopter = &adopt.Adopter{
		Certificates: w.table, Vault: w.vault, Shelf: w.vault, Sets: w.table, Budgets: w.table, Shard: "0", Now: func() time.Time { return now },
	}
}

func (w *world) planned() plan.Plan {
	w.Helper()
	p := &plan.Planner{
		Table: w.table, Shard: "0", Now: func() time.Time { return now.Add(time.Minute) }, RegisteredDomains: suffix.RegisteredDomains, CAHost: budget.CAHost,
		Share: 0.8, Pace: plan.Pace{PerIssuance: time.Second, AtLeast: 20, Batch: 20}, Log: slog.New(slog.DiscardHandler),
	}
	in, err := p.Gather(context.Background(), 15*time.Minute)
	if err != nil {
		w.Fatal(err)
	}
	return plan.Decide(in)
}

// orders are the certificates that the next tick would order.
func (w *world) orders() (names []string) {
	w.Helper()
	for _, o := range w.planned().Outcomes {
		if o.Sends() {
			names = append(names, o.Certificate.Name)
		}
	}
	return names
}

func (w *world) entry(name string) inventory.Certificate {
	w.Helper()
	c, err := w.table.Certificate(context.Background(), name)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// apply puts a certificate into the inventory, as the fleet file wants it.
func (w *world) apply(name string, want inventory.Wanted) {
	w.Helper()
	want.Enabled = true
	c, _ := inventory.Apply(inventory.Certificate{Name: name}, want, now)
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		w.Fatal(err)
	}
}

// missing is how many tokens a budget lacks.
func (w *world) missing(directory string, limit budget.Name, subject string) int64 {
	w.Helper()
	host, err := budget.CAHost(directory)
	if err != nil {
		w.Fatal(err)
	}
	k := budget.Key{CA: host, Limit: limit, Subject: subject}
	have, err := w.table.Buckets(context.Background(), []budget.Key{k})
	if err != nil {
		w.Fatal(err)
	}
	limits, err := w.table.Limits(context.Background(), directory)
	if err != nil {
		w.Fatal(err)
	}
	return limits[limit].Burst - budget.Check(limits[limit], have[k], now).Remaining
}

func (w *world) setKnown(directory string, names ...string) bool {
	w.Helper()
	host, err := budget.CAHost(directory)
	if err != nil {
		w.Fatal(err)
	}
	sets, err := w.table.SetsIssued(context.Background(), host, []string{budget.SetHash(names)})
	if err != nil {
		w.Fatal(err)
	}
	return len(sets) > 0
}

// authority is a CA with an intermediate.
type authority struct {
	root, intermediate *x509.Certificate
	key                crypto.Signer
}

// certificate is one that exists, with all that there is of it in PEM.
type certificate struct {
	leaf, chain, key, root string
	signer                 crypto.Signer
	x509                   *x509.Certificate
}

var serials int64 = 0x1000

func (w *world) authority(organization string) *authority {
	w.Helper()
	if a := w.ca[organization]; a != nil {
		return a
	}
	rootKey, key := w.newKey(inventory.EC256), w.newKey(inventory.EC256)
	ca := func(name string) *x509.Certificate {
		serials++
		return &x509.Certificate{
			SerialNumber: big.NewInt(serials), Subject: pkix.Name{CommonName: name, Organization: []string{organization}}, SubjectKeyId: []byte(name), IsCA: true,
			BasicConstraintsValid: true, NotBefore: now.Add(-1000 * day), NotAfter: now.Add(1000 * day), KeyUsage: x509.KeyUsageCertSign,
		}
	}
	root := w.sign(ca("Root"), ca("Root"), rootKey.Public(), rootKey)
	w.ca[organization] = &authority{root, w.sign(ca("E7"), root, key.Public(), rootKey), key}
	return w.ca[organization]
}

func (w *world) newKey(kind inventory.KeyType) crypto.Signer {
	w.Helper()
	key, err := bundle.NewKey(kind)
	if err != nil {
		w.Fatal(err)
	}
	return key
}

func (w *world) sign(tpl, parent *x509.Certificate, pub crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	w.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tpl, parent, pub, by)
	if err != nil {
		w.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// made is a certificate of 90 days that began to be valid some time ago.
func (w *world) made(organization string, ago time.Duration, names ...string) certificate {
	w.Helper()
	ca, key := w.authority(organization), w.newKey(inventory.EC256)
	serials++
	slices.Sort(names)
	leaf := w.sign(&x509.Certificate{
		SerialNumber: big.NewInt(serials), DNSNames: names, NotBefore: now.Add(-ago), NotAfter: now.Add(90*day - ago),
	}, ca.intermediate, key.Public(), ca.key)
	text, err := bundle.EncodeKey(key)
	if err != nil {
		w.Fatal(err)
	}
	return certificate{encode(leaf), encode(ca.intermediate), text, encode(ca.root), key, leaf}
}

func encode(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// material is c as it is found in files.
func (w *world) material(c certificate) adopt.Material {
	w.Helper()
	m, err := adopt.ParsePEM(c.leaf+c.chain, c.key)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

// stored puts a certificate into the vault as the worker would.
func (w *world) stored(name, directory, acct string, ago time.Duration, names ...string) bundle.Bundle {
	w.Helper()
	c := w.made("Let's Encrypt", ago, names...)
	b, err := bundle.Make([]byte(c.leaf+c.chain), c.signer, bundle.Origin{Directory: directory, Account: acct, IssuedAt: now.Add(-ago)})
	if err != nil {
		w.Fatal(err)
	}
	w.vault.versions[name] = append(w.vault.versions[name], renew.Stored{Bundle: b, SecretARN: "arn:" + name, VersionID: "v" + b.Serial})
	return b
}

func changes(r adopt.Rebuild) string {
	var all []string
	for _, x := range r.Results {
		all = append(all, fmt.Sprintf("%s %s", x.Certificate, x.Change))
	}
	return strings.Join(all, ", ")
}
