package vault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

const ownerTag = "certpace:deployment"

// openAs is the vault of another deployment with the same prefix.
func openAs(f *fake, deployment string) *vault.Vault {
	v := vault.New(f, "certpace/", deployment)
	v.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return v
}

// state is all that is in the fake, for comparison.
func (f *fake) state() string {
	out := ""
	for _, name := range slices.Sorted(maps.Keys(f.secrets)) {
		s := f.secrets[name]
		out += fmt.Sprintln(name, s.kms, s.tags, s.replicas)
		for _, id := range slices.Sorted(maps.Keys(s.versions)) {
			out += fmt.Sprintln(" ", id, s.versions[id].labels, s.versions[id].value)
		}
	}
	return out
}

func TestASecretKnowsItsDeployment(t *testing.T) {
	ctx := context.Background()
	f := newFake()
	v := openAs(f, "prod")
	i := issuance("1")
	i.Wanted.Secret.Tags = map[string]string{ownerTag: "forged", "team": "web"}
	if _, err := v.StageKey(ctx, i, newKey(t)); err != nil {
		t.Fatal(err)
	}
	storeCurrent(t, v, i, newBundle(t, "01"))
	if err := save(v, registered); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"certpace/www", keyName, accountName} {
		if got := f.secrets[name].tags[ownerTag]; got != "prod" {
			t.Errorf("%s belongs to %q", name, got)
		}
	}
	s, err := v.Current(ctx, "www")
	if err != nil || s.Unnamed {
		t.Errorf("current belongs to nobody: %t, %v", s.Unnamed, err)
	}
}

// acts are all that a deployment does to secrets.
func acts(t tester, v *vault.Vault, s renew.Stored) map[string]error {
	ctx := context.Background()
	_, current := v.Current(ctx, "www")
	_, stage := v.Stage(ctx, issuance("2"), newBundle(t, "02"))
	_, key := v.StageKey(ctx, issuance("1"), newKey(t))
	_, load := v.LoadAccount(ctx, "ca.example", "0")
	return map[string]error{
		"reading what is in use": current, "staging": stage, "promoting": v.Promote(ctx, s), "dressing": v.Dress(ctx, inventory.Secret{Tags: map[string]string{"a": "b"}}, s),
		"staging a key": key, "loading an account": load, "saving an account": save(v, other), "saving an account's URL": save(v, moved),
	}
}

func TestWhatIsAnotherDeploymentsIsNeverWritten(t *testing.T) {
	prepare := func() (*fake, renew.Stored) {
		f := newFake()
		v := openAs(f, "prod")
		if _, err := v.StageKey(context.Background(), issuance("1"), newKey(t)); err != nil {
			t.Fatal(err)
		}
		s := storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		if err := save(v, registered); err != nil {
			t.Fatal(err)
		}
		return f, s
	}

	t.Run("it is refused, both deployments are named, and so is what to do", func(t *testing.T) {
		f, s := prepare()
		before := f.state()
		for act, err := range acts(t, openAs(f, "test"), s) {
			t.Run(act, func(t *testing.T) {
				wantFailure(t, err, renew.Never, reason.Configuration, `"prod"`, `"test"`, "secret_prefix", "certpace adopt", "--take-over")
				if !errors.Is(err, renew.ErrNotOurs) {
					t.Errorf("it can't be told from other failures: %v", err)
				}
			})
		}
		if diff := cmp.Diff(before, f.state()); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("that it may not be read is not said in its stead", func(t *testing.T) {
		f, _ := prepare()
		f.fault = on("GetSecretValue", failCall)
		f.err = func(string, string) error { return deniedError{} }
		_, err := openAs(f, "test").Current(context.Background(), "www")
		wantFailure(t, err, renew.Never, reason.Configuration, `"prod"`)
	})

	t.Run("one that is made between the look and the creation is refused too", func(t *testing.T) {
		f, _ := prepare()
		made := f.secrets["certpace/www"]
		delete(f.secrets, "certpace/www")
		f.fault = func(action string, _ int) verdict {
			if action == "CreateSecret" {
				f.secrets["certpace/www"] = made
			}
			return pass
		}
		_, err := openAs(f, "test").Stage(context.Background(), issuance("2"), newBundle(t, "02"))
		wantFailure(t, err, renew.Never, reason.Configuration, `"prod"`)
		if len(made.versions) != 1 {
			t.Error("a version was written")
		}
	})

	t.Run("taking over is an act of its own, after which the other one is refused", func(t *testing.T) {
		f, _ := prepare()
		taker := openAs(f, "test").TakingOver()
		got, err := taker.Current(context.Background(), "www")
		if err != nil || got.Unnamed {
			t.Fatalf("%t, %v", got.Unnamed, err)
		}
		if err := taker.Dress(context.Background(), inventory.Secret{}, got); err != nil {
			t.Fatal(err)
		}
		if _, err := openAs(f, "test").Current(context.Background(), "www"); err != nil {
			t.Error(err)
		}
		_, err = openAs(f, "prod").Stage(context.Background(), issuance("2"), newBundle(t, "02"))
		wantFailure(t, err, renew.Never, reason.Configuration, `"prod"`, `"test"`)
	})
}

func TestWhatIsOfBeforeDeploymentsHadNames(t *testing.T) {
	ctx := context.Background()

	t.Run("a certificate's secret is tagged when it is dressed", func(t *testing.T) {
		f := newFake()
		storeCurrent(t, openAs(f, "prod"), issuance("1"), newBundle(t, "01"))
		delete(f.secrets["certpace/www"].tags, ownerTag)
		v := openAs(f, "prod")
		if s, err := v.Current(ctx, "www"); err != nil || !s.Unnamed {
			t.Fatalf("%t, %v", s.Unnamed, err)
		}
		storeCurrent(t, v, issuance("2"), newBundle(t, "02"))
		if got := f.secrets["certpace/www"].tags[ownerTag]; got != "prod" {
			t.Errorf("it belongs to %q", got)
		}
	})

	t.Run("an account belongs to the first one that opens it", func(t *testing.T) {
		f := newFake()
		if err := save(openAs(f, "prod"), registered); err != nil {
			t.Fatal(err)
		}
		delete(f.secrets[accountName].tags, ownerTag)
		if a, err := openAs(f, "prod").LoadAccount(ctx, "ca.example", "0"); err != nil || a != registered {
			t.Fatalf("%v, %v", a, err)
		}
		_, err := openAs(f, "test").LoadAccount(ctx, "ca.example", "0")
		wantFailure(t, err, renew.Never, reason.Configuration, `"prod"`, `"test"`)
	})

	t.Run("one that can't be tagged is used all the same", func(t *testing.T) {
		f := newFake()
		if err := save(openAs(f, "prod"), registered); err != nil {
			t.Fatal(err)
		}
		delete(f.secrets[accountName].tags, ownerTag)
		f.fault = on("TagResource", failCall)
		if a, err := openAs(f, "prod").LoadAccount(ctx, "ca.example", "0"); err != nil || a != registered {
			t.Fatalf("%v, %v", a, err)
		}
	})
}

// Whatever the services answer, and whoever comes first: what one deployment made holds what that
// one put there.
func TestNoFaultLetsOneDeploymentWriteAnothersSecrets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		one := openAs(f, "prod")
		if _, err := one.StageKey(context.Background(), issuance("1"), newKey(t)); err != nil {
			t.Fatal(err)
		}
		s := storeCurrent(t, one, issuance("1"), newBundle(t, "01"))
		if err := save(one, registered); err != nil {
			t.Fatal(err)
		}
		before := f.state()
		verdicts := rapid.SliceOfN(rapid.SampledFrom([]verdict{pass, pass, failCall, lie}), 40, 40).Draw(t, "verdicts")
		from := len(f.calls)
		f.fault = func(_ string, n int) verdict { return verdicts[(n-from)%len(verdicts)] }
		for act, err := range acts(t, openAs(f, "test"), s) {
			if err == nil {
				t.Errorf("%s went through", act)
			}
		}
		if diff := cmp.Diff(before, f.state()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAListingSaysWhoseEachSecretIs(t *testing.T) {
	f := newFake()
	storeCurrent(t, openAs(f, "prod"), issuance("1"), newBundle(t, "01"))
	storeCurrent(t, openAs(f, "test"), renew.Issuance{ID: "1", Certificate: "api"}, newBundle(t, "02"))
	for ca, v := range map[string]*vault.Vault{"ca.example": openAs(f, "prod"), "other.example": openAs(f, "test")} {
		if err := v.SaveAccount(context.Background(), ca, "0", issuer.Account{PrivateKey: "key", Directory: "https://" + ca}); err != nil {
			t.Fatal(err)
		}
	}
	owners := map[string]string{}
	for l, err := range openAs(f, "prod").EachCertificate(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		owners[l.Certificate] = l.Deployment
	}
	for l, err := range openAs(f, "prod").EachAccount(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		owners[l.Name] = l.Deployment
	}
	want := map[string]string{"www": "prod", "api": "test", "certpace/accounts/ca.example/0": "prod", "certpace/accounts/other.example/0": "test"}
	if diff := cmp.Diff(want, owners); diff != "" {
		t.Error(diff)
	}
}

func TestAnAccountIsTakenOver(t *testing.T) {
	ctx := context.Background()
	f := newFake()
	if err := save(openAs(f, "prod"), registered); err != nil {
		t.Fatal(err)
	}
	v := openAs(f, "test")
	for l, err := range v.EachAccount(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Claim(ctx, l.ARN); err != nil {
			t.Fatal(err)
		}
	}
	if a, err := v.LoadAccount(ctx, "ca.example", "0"); err != nil || a != registered {
		t.Errorf("%v, %v", a, err)
	}
}
