package issuer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// memory is an AccountStore that keeps its contract, and can lie where it is told to.
type memory struct {
	mu       sync.Mutex
	kept     map[string]Account
	saves    []Account
	onSave   func(n int) (write bool, err error) // n counts the saves, from 1; nil means always well
	onLoad   error
	latency  time.Duration // of a load: others may write between it and what follows
	binding  *Binding
	bindings int      // how often it was read
	written  []string // what was observed, in order
}

func (m *memory) note(what string) { m.written = append(m.written, what) }

func (m *memory) LoadAccount(_ context.Context, ca, shard string) (Account, error) {
	defer time.Sleep(m.latency)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.onLoad != nil {
		return Account{}, m.onLoad
	}
	a, ok := m.kept[ca+"/"+shard]
	if !ok {
		return Account{}, ErrNoAccount
	}
	return a, nil
}

func (m *memory) LoadBinding(_ context.Context, ca string) (Binding, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bindings++
	if m.binding == nil {
		return Binding{}, renew.Fail(renew.Never, reason.Configuration, errors.New("no binding for "+ca))
	}
	return *m.binding, nil
}

func (m *memory) SaveAccount(_ context.Context, ca, shard string, a Account) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saves = append(m.saves, a)
	m.note("save url=" + a.URL)
	write, err := true, error(nil)
	if m.onSave != nil {
		write, err = m.onSave(len(m.saves))
	}
	if !write {
		return err
	}
	old, ok := m.kept[ca+"/"+shard]
	if ok && old != a && (a.URL == "" || old.PrivateKey != a.PrivateKey) {
		return ErrAccountExists
	}
	if m.kept == nil {
		m.kept = map[string]Account{}
	}
	m.kept[ca+"/"+shard] = a
	return err
}

func freely(context.Context) error { return nil }

// fixture is an issuer before a fake CA, with an open account.
type fixture struct {
	*fakeCA
	issuer *Issuer
	store  *memory
	ca     renew.CA
	ctx    context.Context
}

func newIssuer(f *fakeCA, m *memory) *Issuer {
	return New(Options{Accounts: m, Network: f, Rate: 1000, Version: "1.2.3", Email: "ops@example.com", Seed: 1})
}

// open makes a fixture inside a synctest bubble.
func open(t *testing.T) *fixture {
	t.Helper()
	f, m := newFakeCA(t), &memory{}
	fx := &fixture{fakeCA: f, store: m, issuer: newIssuer(f, m)}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	fx.ctx = ctx
	var err error
	if fx.ca, err = fx.issuer.OpenAccount(ctx, "0", caDirectory, freely); err != nil {
		t.Fatal(err)
	}
	return fx
}

// only lets a fault happen to the requests of one kind, counted from now.
func (fx *fixture) only(kind string, at func(n int) fault) {
	fx.mu.Lock()
	defer fx.mu.Unlock()
	fx.counts[kind] = 0
	fx.fault = func(s seen, n int) fault {
		if s.kind != kind {
			return fault{}
		}
		return at(n)
	}
}

// first makes a fault happen once.
func first(f fault) func(int) fault { return upTo(1, f) }

// upTo makes a fault happen to the first requests.
func upTo(last int, f fault) func(int) fault {
	return func(n int) fault {
		if n <= last {
			return f
		}
		return fault{}
	}
}

func (fx *fixture) newOrder(t *testing.T, names ...string) renew.Order {
	t.Helper()
	o, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// failure asserts that an error is a *renew.Failure and gives it.
func failure(t *testing.T, err error) *renew.Failure {
	t.Helper()
	var f *renew.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v (%T), want a *renew.Failure", err, err)
	}
	return f
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q doesn't say %q", text, p)
		}
	}
}
