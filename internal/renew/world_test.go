package renew_test

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const (
	directory        = "https://ca.example/dir"
	stagingDirectory = "https://staging.example/dir"
	otherDirectory   = "https://other.example/dir"
)

var epoch = time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)

// fate is what happens at one call to the outside.
type fate int

const (
	fine       fate = iota
	killBefore      // the process dies before the call has any effect
	killAfter       // the process dies when the call has had its effect
	lostAnswer      // the call has its effect and answers with an error
	failed          // the call has no effect and answers with an error
)

// world is everything outside of the worker, on a clock of its own, with every call counted and one of them befallen by a fate. A
// process that died has no more effect on anything: its calls fail and do nothing, as if it had never made them.
type world struct {
	mu        sync.Mutex
	acting    sync.Mutex // the jobs of a batch may call side by side
	now       time.Time
	calls     []string
	at        int // the call that meets its fate, from 1
	fate      fate
	dead      bool
	table     *memory.Store
	ca        *ca
	stagingCA *ca // where ca's issuances are rehearsed
	otherCA   *ca // the second one
	zone      map[renew.Record]bool
	vault     *vault
	keys      map[string]crypto.Signer
	shelf     map[string]string // what ACM has: serials by ARN
	events    []event.Event
	permitted []string           // names, and by whom
	broken    map[string]error   // by call name: what it answers, always
	atOnce    int                // jobs side by side
	prefix    string             // of secrets' names
	speaks    func(*ca) renew.CA // another way for the CA to answer; nil for its own

	window    *inventory.Window // that the CA suggests
	looks     int               // how often it was asked
	skipped   string            // the call that only says that it was done
	interrupt func(string)      // told of every call but the table's
	log       *slog.Logger      // of the worker; nil for none
}

func newWorld(t testing.TB) *world {
	w := &world{now: epoch, table: memory.New(inventory.DefaultShard), atOnce: 1, zone: map[renew.Record]bool{}, keys: map[string]crypto.Signer{}, shelf: map[string]string{}, broken: map[string]error{}}
	w.table.Now = w.clock
	w.table.Fault = func(op string, _ ...any) memory.Verdict {
		switch before, after := w.meet(op); {
		case before != nil:
			return memory.FailBefore
		case after != nil:
			return memory.FailAfter
		}
		return memory.Pass
	}
	w.ca, w.stagingCA, w.otherCA = newCA(t, w), newCA(t, w), newCA(t, w)
	w.stagingCA.host, w.stagingCA.prefix = "staging.example", "staging "
	w.otherCA.host, w.otherCA.prefix, w.otherCA.serials = "other.example", "other ", 500
	w.vault = &vault{world: w, current: map[string]renew.Stored{}, staged: map[string]renew.Stored{}, previous: map[string]renew.Stored{}}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

var errKilled = errors.New("the process is dead")

// meet counts a call and says what befalls it: an error before it has its effect, or one after.
func (w *world) meet(name string) (before, after error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errKilled, nil
	}
	w.calls = append(w.calls, name)
	if err := w.broken[name]; err != nil {
		return err, nil
	}
	if w.at == 0 || len(w.calls) != w.at {
		return nil, nil
	}
	lost := renew.Fail(renew.Unknown, reason.CAUnavailable, errors.New("the answer was lost"))
	switch w.fate {
	case killBefore:
		w.dead = true
		return errKilled, nil
	case killAfter:
		w.dead = true
		return nil, errKilled
	case lostAnswer:
		return nil, lost
	case failed:
		return renew.Fail(renew.Later, reason.CAUnavailable, errors.New("not today")), nil
	}
	return nil, nil
}

// do carries a call out, with its fate.
func (w *world) do(name string, act func() error) error {
	before, after := w.meet(name)
	if before != nil {
		return before
	}
	if w.interrupt != nil {
		w.interrupt(name)
	}
	if name == w.skipped {
		return after
	}
	w.acting.Lock()
	defer w.acting.Unlock()
	if err := act(); err != nil {
		return err
	}
	return after
}

func (w *world) worker() *renew.Worker {
	log := w.log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &renew.Worker{
		Ports: renew.Ports{
			Certificates: w.table, Issuances: w.table, Budgets: w.table, Sets: w.table, Lease: w.table,
			Accounts: w, DNS: zones{w}, Keys: w, Vault: w.vault, ACM: shelf{w}, RenewalInfo: w, Bus: bus{w},
		},
		Settings: renew.Settings{
			Shard: inventory.DefaultShard, SecretPrefix: w.prefix, Now: w.clock, CAHost: budget.CAHost, Staging: w.staging, Margin: 10 * time.Second, AtOnce: w.atOnce, Log: log,
			RegisteredDomains: func([]string) []string { return []string{"a.example"} },
			Sleep:             func(_ context.Context, d time.Duration) error { w.pass(d); return nil },
		},
	}
}

// deliver runs one invocation of 15 minutes with these jobs. The context's deadline is real time; the leases are of the world's.
func (w *world) deliver(owner string, jobs ...renew.Job) []renew.Result {
	return w.receiveAll(owner, 1, jobs...)
}

// receive is a delivery of one message that was received so often.
func (w *world) receive(owner string, received int, j renew.Job) renew.Result {
	return w.receiveAll(owner, received, j)[0]
}

func (w *world) receiveAll(owner string, received int, jobs ...renew.Job) []renew.Result {
	w.mu.Lock()
	deadline := w.now.Add(15 * time.Minute)
	w.mu.Unlock()
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	var ds []renew.Delivery
	for i, j := range jobs {
		ds = append(ds, renew.Delivery{MessageID: fmt.Sprint("m", i), Job: j, Received: received})
	}
	return w.worker().Run(ctx, owner, ds)
}

func (w *world) want(t testing.TB, name string, domains ...string) inventory.Certificate {
	t.Helper()
	slices.Sort(domains)
	c, change := inventory.Apply(inventory.Certificate{Name: name}, inventory.Wanted{
		Domains: domains, KeyType: inventory.EC256, Directory: directory, Enabled: true,
	}, w.clock())
	if change != inventory.Added {
		t.Fatal(change)
	}
	c, err := w.table.SaveCertificate(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) certificate(t testing.TB, name string) inventory.Certificate {
	t.Helper()
	c, err := w.table.Certificate(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func scheduled(name string) renew.Job {
	return renew.Job{Job: job.New(name, job.First, "j-"+name), SentAt: epoch}
}

// The ports that are small.

func (w *world) OpenAccount(ctx context.Context, _, at string, allow func(context.Context) error) (renew.CA, error) {
	c := w.ca
	switch at {
	case stagingDirectory:
		c = w.stagingCA
	case otherDirectory:
		c = w.otherCA
	}
	w.acting.Lock()
	registered := c.registered
	w.acting.Unlock()
	spoken := renew.CA(c)
	if w.speaks != nil {
		spoken = w.speaks(c)
	}
	if registered {
		return spoken, c.do("OpenAccount", func() error { return nil })
	}
	if err := allow(ctx); err != nil {
		return nil, err
	}
	return spoken, c.do("OpenAccount", func() error { c.registered = true; return nil })
}

func (w *world) staging(at string) string {
	if at == directory {
		return stagingDirectory
	}
	return ""
}

func (w *world) Window(context.Context, string, string) (*inventory.Window, error) {
	w.acting.Lock()
	defer w.acting.Unlock()
	w.looks++
	return w.window, w.broken["Window"]
}

// zones is the world's DNS.
type zones struct{ *world }

func (w zones) Publish(_ context.Context, rs []renew.Record) error {
	return w.do("Publish", func() error {
		for _, r := range rs {
			w.zone[r] = true
		}
		return nil
	})
}

// bus is the world's EventBridge.
type bus struct{ *world }

func (w bus) Publish(_ context.Context, es ...event.Event) error {
	return w.do("Event", func() error { w.events = append(w.events, es...); return nil })
}

func (w zones) Locate(_ context.Context, _ inventory.DNS, cs []renew.Challenge) (rs []renew.Record, err error) {
	err = w.do("Locate", func() error {
		for _, c := range cs {
			rs = append(rs, renew.Record{Challenge: renew.Challenge{Domain: c.Domain, Value: c.Value}, Provider: "route53", FQDN: "_acme-challenge." + c.Domain + "."})
		}
		return nil
	})
	return rs, err
}

func (w zones) Permit(_ context.Context, names, identities []string) error {
	return w.do("Permit", func() error { w.permitted = append(w.permitted, fmt.Sprint(names, " by ", identities)); return nil })
}

func (w zones) Remove(_ context.Context, rs []renew.Record) error {
	return w.do("Remove", func() error {
		for _, r := range rs {
			delete(w.zone, r)
		}
		return nil
	})
}

func (w *world) StageKey(_ context.Context, i renew.Issuance, key crypto.Signer) (staged crypto.Signer, err error) {
	err = w.do("StageKey", func() error {
		if w.keys[i.ID] == nil {
			w.keys[i.ID] = key
		}
		staged = w.keys[i.ID]
		return nil
	})
	return staged, err
}

func (w *world) StagedKey(_ context.Context, i renew.Issuance) (staged crypto.Signer, err error) {
	err = w.do("StagedKey", func() error {
		if staged = w.keys[i.ID]; staged == nil {
			return renew.ErrNoKey
		}
		return nil
	})
	return staged, err
}

func (w *world) DropKey(_ context.Context, i renew.Issuance) error {
	return w.do("DropKey", func() error { delete(w.keys, i.ID); return nil })
}

// vault keeps secrets as Secrets Manager does: a first version is current at once.
type vault struct {
	*world
	current, staged, previous map[string]renew.Stored

	dressed  string                            // serial, and where it was copied to
	readBack func(bundle.Bundle) bundle.Bundle // what Stage reads back; nil for what was written
}

func (v *vault) Current(_ context.Context, name string) (s renew.Stored, err error) {
	err = v.do("Current", func() error {
		var ok bool
		if s, ok = v.current[name]; !ok {
			return renew.ErrNoSecret
		}
		return nil
	})
	return s, err
}

// Value fails where Current does: it is the same read.
func (v *vault) Value(ctx context.Context, name string) (renew.Stored, error) {
	return v.Current(ctx, name)
}

func (v *vault) Previous(_ context.Context, name string) (s renew.Stored, err error) {
	err = v.do("Previous", func() error {
		var ok bool
		if s, ok = v.previous[name]; !ok {
			return renew.ErrNoSecret
		}
		return nil
	})
	return s, err
}

func (v *vault) Stage(_ context.Context, i renew.Issuance, b bundle.Bundle) (s renew.Stored, err error) {
	err = v.do("Stage", func() error {
		if had, ok := v.staged[i.ID]; ok && had.Bundle.Serial != b.Serial {
			return fmt.Errorf("one issuance staged two certificates, %s and %s", had.Bundle.Serial, b.Serial)
		}
		if v.readBack != nil {
			b = v.readBack(b)
		}
		s = renew.Stored{Bundle: b, SecretARN: "arn:" + i.Certificate, VersionID: i.ID}
		v.staged[i.ID] = s
		if _, exists := v.current[i.Certificate]; !exists {
			v.current[i.Certificate] = s
		}
		return nil
	})
	return s, err
}

func (v *vault) Promote(_ context.Context, s renew.Stored) error {
	return v.do("Promote", func() error {
		name := s.SecretARN[len("arn:"):]
		if was := v.current[name]; was.VersionID != s.VersionID {
			v.previous[name] = was
		}
		v.current[name] = s
		return nil
	})
}

func (v *vault) Dress(_ context.Context, want inventory.Secret, s renew.Stored) error {
	return v.do("Dress", func() error { v.dressed = fmt.Sprint(s.Bundle.Serial, want.Replicas); return nil })
}

// shelf is the world's ACM.
type shelf struct{ *world }

func (w shelf) Import(_ context.Context, arn string, b bundle.Bundle) error {
	return w.do("Import", func() error { w.shelf[arn] = b.Serial; return nil })
}

// ca is a CA that issues real certificates for orders whose values stand in the world's zone.
type ca struct {
	*world
	host       string
	identities []string
	profiles   []string
	lists      bool   // it has a list of an account's orders
	prefix     string // of its calls' names
	root       *x509.Certificate
	key        crypto.Signer
	registered bool
	orders     []*order
	finalized  int
	serials    int64 // that are its own begin behind this one
	replaced   map[string]bool
	swap       crypto.PublicKey         // for which it signs instead; nil for what is asked for
	revoked    []string                 // serial and CRL reason
	worksUntil time.Time                // until then it works on what was finalized
	asks       time.Duration            // and asks to be left alone for so long
	validates  time.Time                // until then it looks at challenges
	authAsks   time.Duration            // and its authorizations ask for so long
	challAsks  map[string]time.Duration // and its challenges, once told, by name
	life       time.Duration            // of an order; 0 for a week

	shown func([]renew.Authorization) []renew.Authorization // how it lies about authorizations; nil for not at all
	order func(*renew.Order)                                // and about orders
	until time.Time                                         // when what it signs ends, whenever it does so; zero for after 90 days
}

type order struct {
	renew.Order
	accepted map[string]bool
	retired  bool
	failed   string
	chain    []byte
}

func newCA(t testing.TB, w *world) *ca {
	t.Helper()
	key, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, SubjectKeyId: []byte{1}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &ca{world: w, host: "ca.example", identities: []string{"ca.example"}, serials: 100, root: root, key: key, replaced: map[string]bool{}}
}

func (c *ca) do(name string, act func() error) error { return c.world.do(c.prefix+name, act) }

func (c *ca) Account() string { return "https://" + c.host + "/acct/1" }

func (c *ca) Revoke(_ context.Context, der []byte, code uint) error {
	return c.do("Revoke", func() error {
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		c.revoked = append(c.revoked, fmt.Sprintf("%s/%d", bundle.Serial(leaf), code))
		return nil
	})
}

func (c *ca) Profiles() []string { return c.profiles }

func (c *ca) Identities() []string { return c.identities }

func (c *ca) NewOrder(_ context.Context, o renew.NewOrder) (got renew.Order, err error) {
	err = c.do("NewOrder", func() error {
		if o.Replaces != "" && c.replaced[o.Replaces] {
			return renew.ErrReplaced
		}
		c.replaced[o.Replaces] = true
		next := &order{Order: renew.Order{
			URL: fmt.Sprintf("https://%s/order/%d", c.host, len(c.orders)), Status: renew.Pending, Names: o.Names, Replaces: o.Replaces,
			Expires: c.clock().Add(cmp.Or(c.life, 7*24*time.Hour)), Authorizations: o.Names, FinalizeURL: "f",
		}, accepted: map[string]bool{}}
		c.orders = append(c.orders, next)
		got = next.Order
		if c.order != nil {
			c.order(&got)
		}
		return nil
	})
	return got, err
}

func (c *ca) FindOrder(_ context.Context, asked renew.NewOrder) (got renew.Order, found bool, err error) {
	err = c.do("FindOrder", func() error {
		if !c.lists {
			return renew.ErrNoList
		}
		for _, o := range c.orders {
			if o.Status == renew.Pending && o.failed == "" && o.Replaces == asked.Replaces && slices.Equal(o.Names, asked.Names) {
				got, found = o.Order, true
			}
		}
		return nil
	})
	return got, found, err
}

func (c *ca) find(url string) (*order, error) {
	for _, o := range c.orders {
		if o.URL == url {
			return o, nil
		}
	}
	return nil, renew.Fail(renew.Never, reason.CARefused, errors.New("no such order"))
}

func (c *ca) Order(_ context.Context, url string) (got renew.Order, err error) {
	err = c.do("Order", func() error {
		o, err := c.find(url)
		if err != nil {
			return err
		}
		switch {
		case o.failed != "":
			o.Status = renew.Invalid
		case o.Status == renew.Pending && len(o.accepted) == len(o.Names) && !c.clock().Before(c.validates):
			o.Status = renew.Ready
		case o.Status == renew.Processing && !c.clock().Before(c.worksUntil):
			o.Status = renew.Valid
		}
		got = o.Order
		if c.order != nil {
			c.order(&got)
		}
		if o.Status == renew.Processing {
			got.RetryAfter = c.asks
		}
		return nil
	})
	return got, err
}

func (c *ca) Authorizations(_ context.Context, have renew.Order) (as []renew.Authorization, err error) {
	err = c.do("Authorizations", func() error {
		o, err := c.find(have.URL)
		if err != nil {
			return err
		}
		for _, n := range o.Names {
			if o.retired {
				as = append(as, renew.Authorization{Name: n, Status: "deactivated"})
				continue
			}
			a := renew.Authorization{Name: n, Status: renew.Pending, Challenge: renew.Challenge{Domain: n, Value: "v-" + o.URL + n, URL: o.URL + " " + n}}
			switch {
			case n == o.failed:
				a.Status, a.Problem = renew.Invalid, "no TXT record found"
			case o.accepted[n] && c.clock().Before(c.validates):
				a.Accepted, a.RetryAfter = true, c.authAsks
			case o.accepted[n]:
				a.Status = renew.Valid
			}
			as = append(as, a)
		}
		if c.shown != nil {
			as = c.shown(as)
		}
		return nil
	})
	return as, err
}

func (c *ca) Accept(_ context.Context, ch renew.Challenge) (time.Duration, error) {
	return c.challAsks[ch.Domain], c.do("Accept", func() error {
		var url, name string
		if _, err := fmt.Sscanf(ch.URL, "%s %s", &url, &name); err != nil {
			return err
		}
		o, err := c.find(url)
		if err != nil {
			return err
		}
		want := renew.Record{Challenge: renew.Challenge{Domain: name, Value: ch.Value}, Provider: "route53", FQDN: "_acme-challenge." + name + "."}
		if !c.zone[want] {
			o.failed = name
			return nil
		}
		o.accepted[name] = true
		return nil
	})
}

func (c *ca) Retire(_ context.Context, have renew.Order) error {
	return c.do("Retire", func() error {
		o, err := c.find(have.URL)
		if err == nil {
			o.retired, o.Status = true, renew.Invalid
		}
		return err
	})
}

func (c *ca) Finalize(_ context.Context, have renew.Order, csr []byte) (got renew.Order, err error) {
	err = c.do("Finalize", func() error {
		o, err := c.find(have.URL)
		if err != nil {
			return err
		}
		if o.Status != renew.Ready {
			return renew.Fail(renew.Unknown, reason.CARefused, errors.New("orderNotReady"))
		}
		req, err := x509.ParseCertificateRequest(csr)
		if err != nil {
			return err
		}
		c.finalized++
		o.Status, o.chain = renew.Processing, c.sign(req)
		got = o.Order
		return nil
	})
	return got, err
}

func (c *ca) sign(req *x509.CertificateRequest) []byte {
	now := c.clock()
	if c.swap != nil {
		req.PublicKey = c.swap
	}
	from, to := now.Add(-time.Minute), now.Add(90*24*time.Hour)
	if !c.until.IsZero() {
		from, to = c.until.Add(-90*24*time.Hour), c.until
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(c.serials + int64(c.finalized)), DNSNames: req.DNSNames, NotBefore: from, NotAfter: to,
	}, c.root, req.PublicKey, c.key)
	if err != nil {
		panic(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.root.Raw})...)
}

func (c *ca) Download(_ context.Context, have renew.Order, _ string) (chain []byte, err error) {
	err = c.do("Download", func() error {
		o, err := c.find(have.URL)
		if err == nil {
			chain = o.chain
		}
		return err
	})
	return chain, err
}

// spoil makes a call say that it was done without doing it, until undone.
func (w *world) spoil(name string) (undo func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skipped = name
	return func() { w.skipped = "" }
}

// during runs something in the middle of a call, once.
func (w *world) during(name string, act func()) (undo func()) {
	w.interrupt = func(call string) {
		if call == name {
			w.interrupt = nil
			act()
		}
	}
	return func() { w.interrupt = nil }
}
