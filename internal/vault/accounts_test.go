package vault_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

const accountName = "certpace/accounts/ca.example/0"

func save(v *vault.Vault, a issuer.Account) error {
	return v.SaveAccount(context.Background(), "ca.example", "0", a)
}

var (
	fresh      = issuer.Account{PrivateKey: "key one", Directory: "https://ca.example/directory"}
	registered = issuer.Account{PrivateKey: "key one", Directory: fresh.Directory, URL: "https://ca.example/acct/1"}
	moved      = issuer.Account{PrivateKey: "key one", Directory: fresh.Directory, URL: "https://ca.example/acct/9"}
	other      = issuer.Account{PrivateKey: "key two", Directory: fresh.Directory, URL: "https://ca.example/acct/2"}
)

func TestSavingAnAccount(t *testing.T) {
	ctx := context.Background()

	for name, c := range map[string]struct {
		before []issuer.Account
		save   issuer.Account
		err    error
		after  issuer.Account
	}{
		"the first one is stored":                       {nil, fresh, nil, fresh},
		"the first one with a URL is stored too":        {nil, registered, nil, registered},
		"its URL comes after":                           {[]issuer.Account{fresh}, registered, nil, registered},
		"the same again changes nothing":                {[]issuer.Account{fresh, registered}, registered, nil, registered},
		"another key is refused":                        {[]issuer.Account{fresh}, other, issuer.ErrAccountExists, fresh},
		"another key is refused though it is new":       {[]issuer.Account{fresh}, issuer.Account{PrivateKey: "key two", Directory: fresh.Directory}, issuer.ErrAccountExists, fresh},
		"a URL isn't taken away from the key it has":    {[]issuer.Account{fresh, registered}, fresh, issuer.ErrAccountExists, registered},
		"the URL of a key that moved can be corrected":  {[]issuer.Account{fresh, registered}, moved, nil, moved},
		"a corrected URL can be put back":               {[]issuer.Account{fresh, registered, moved}, registered, nil, registered},
		"with a URL, another key's account is refused":  {[]issuer.Account{fresh, registered}, other, issuer.ErrAccountExists, registered},
		"an account without a URL is stored only first": {[]issuer.Account{registered}, fresh, issuer.ErrAccountExists, registered},
	} {
		for _, fault := range []verdict{pass, lie} {
			t.Run(name+map[verdict]string{pass: "", lie: ", also where the answers of all writes are lost"}[fault], func(t *testing.T) {
				f := newFake()
				v := open(f)
				f.fault = func(action string, _ int) verdict {
					if action == "GetSecretValue" || action == "DescribeSecret" {
						return pass
					}
					return fault
				}
				for _, a := range c.before {
					if err := save(v, a); err != nil {
						t.Fatal(err)
					}
				}
				if err := save(v, c.save); !errors.Is(err, c.err) {
					t.Errorf("got %v, wanted %v", err, c.err)
				}
				got, err := v.LoadAccount(ctx, "ca.example", "0")
				if err != nil || got != c.after {
					t.Errorf("stored is %v %v, wanted %v", got, err, c.after)
				}
			})
		}
	}

}

func TestLoadingAnAccount(t *testing.T) {
	ctx := context.Background()

	t.Run("none is no account, and another shard's or CA's is none", func(t *testing.T) {
		v := open(newFake())
		if err := save(v, fresh); err != nil {
			t.Fatal(err)
		}
		for _, at := range [][2]string{{"ca.example", "1"}, {"ca.example+14000", "0"}} {
			if _, err := v.LoadAccount(ctx, at[0], at[1]); !errors.Is(err, issuer.ErrNoAccount) {
				t.Errorf("at %v: %v", at, err)
			}
		}
	})

	t.Run("its secret is readable JSON", func(t *testing.T) {
		f := newFake()
		if err := save(open(f), registered); err != nil {
			t.Fatal(err)
		}
		_, v := f.secrets[accountName].holder("AWSCURRENT")
		want := `{"private_key":"key one","url":"https://ca.example/acct/1","acme_directory":"https://ca.example/directory","schema_version":1}`
		if diff := cmp.Diff(want, v.value); diff != "" {
			t.Error(diff)
		}
	})

	for name, value := range map[string]string{
		"an account of a newer program":       `{"private_key":"k","acme_directory":"d","schema_version":2}`,
		"an account without a key":            `{"acme_directory":"d","schema_version":1}`,
		"somebody else's secret of that name": `not JSON`,
	} {
		t.Run(name+" is never overwritten", func(t *testing.T) {
			f := newFake()
			f.secrets[accountName] = &fakeSecret{name: accountName, arn: "arn", versions: map[string]*fakeVersion{"1": {value, []string{"AWSCURRENT"}}}}
			_, err := open(f).LoadAccount(ctx, "ca.example", "0")
			wantFailure(t, err, renew.Never, reason.Configuration, accountName)
			wantFailure(t, save(open(f), fresh), renew.Never, reason.Configuration, accountName)
			if f.secrets[accountName].versions["1"].value != value {
				t.Error("it was changed")
			}
		})
	}

	t.Run("a denied creation is no account that exists", func(t *testing.T) {
		f := newFake()
		f.fault = on("CreateSecret", failCall)
		f.err = func(string, string) error { return deniedError{} }
		wantFailure(t, save(open(f), fresh), renew.Never, reason.PermissionDenied, "secretsmanager:CreateSecret", accountName)
	})
}

// Whatever fails or lies while several workers register at once: the key that is stored first stays, and what was reported as saved
// is there.
func TestAStoredAccountKeyIsNeverReplaced(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		v := open(f)
		verdicts := rapid.SliceOfN(rapid.SampledFrom([]verdict{pass, pass, failCall, lie}), 0, 30).Draw(t, "verdicts")
		f.fault = func(_ string, n int) verdict {
			if n < len(verdicts) {
				return verdicts[n]
			}
			return pass
		}
		first := ""
		for range rapid.IntRange(1, 12).Draw(t, "saves") {
			a := issuer.Account{
				PrivateKey: rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "key"),
				URL:        rapid.SampledFrom([]string{"", "https://ca.example/1"}).Draw(t, "url"), Directory: "https://ca.example/directory",
			}
			saved := save(v, a)
			calls, faults := len(f.calls), f.fault
			f.fault = nil
			got, err := v.LoadAccount(ctx, "ca.example", "0")
			f.calls, f.fault = f.calls[:calls], faults
			if errors.Is(err, issuer.ErrNoAccount) && saved != nil && first == "" {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = got.PrivateKey
			}
			if got.PrivateKey != first || saved == nil && got != a {
				t.Fatalf("stored is %v with key %s, first was %s, saved %v: %v", got, got.PrivateKey, first, a, saved)
			}
		}
	})
}

type deniedError struct{}

func (deniedError) Error() string        { return "denied" }
func (deniedError) ErrorCode() string    { return "AccessDeniedException" }
func (deniedError) ErrorMessage() string { return "not authorized" }

// ErrorFault makes it an error of the service's protocol.
func (deniedError) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }
