package vault_test

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const keyName = "certpace/pending/www/1"

func same(t *testing.T, a, b crypto.Signer) {
	t.Helper()
	pub, ok := a.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(b.Public()) {
		t.Error("it is another key")
	}
}

func TestKeysOfIssuancesInProgress(t *testing.T) {
	ctx := context.Background()

	t.Run("the first key staged is the one that everybody gets", func(t *testing.T) {
		v := open(newFake())
		first := newKey(t)
		for _, k := range []crypto.Signer{first, first, newKey(t)} {
			got, err := v.StageKey(ctx, issuance("1"), k)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, first)
		}
		got, err := v.StagedKey(ctx, issuance("1"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, first)
	})

	t.Run("of many at once all get the same key", func(t *testing.T) {
		v := open(newFake())
		got := make([]crypto.Signer, 8)
		var wg sync.WaitGroup
		for n := range got {
			key := newKey(t)
			wg.Go(func() {
				k, err := v.StageKey(ctx, issuance("1"), key)
				if err != nil {
					t.Error(err)
				}
				got[n] = k
			})
		}
		wg.Wait()
		for _, k := range got[1:] {
			same(t, k, got[0])
		}
	})

	t.Run("it lies where no consumer reads, under the certificate's KMS key and tags, and its deployment's name", func(t *testing.T) {
		f := newFake()
		i := issuance("1")
		i.Wanted.Secret = inventory.Secret{KMSKeyID: "alias/x", Replicas: []string{"eu-west-1"}, Tags: map[string]string{"team": "web"}}
		if _, err := open(f).StageKey(ctx, i, newKey(t)); err != nil {
			t.Fatal(err)
		}
		s := f.secrets[keyName]
		if s == nil || len(f.secrets) != 1 || s.kms != "alias/x" || len(s.replicas) != 0 {
			t.Fatalf("secrets %v", f.secrets)
		}
		if diff := cmp.Diff(map[string]string{"team": "web", ownerTag: deployment}, s.tags); diff != "" {
			t.Error(diff)
		}
	})

}

func TestKeysWhereTheServiceFails(t *testing.T) {
	ctx := context.Background()

	t.Run("an error, but it was stored: the key is safe", func(t *testing.T) {
		f := newFake()
		f.fault = on("CreateSecret", lie)
		key := newKey(t)
		got, err := open(f).StageKey(ctx, issuance("1"), key)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, key)
	})

	t.Run("an error, and it wasn't stored: no key is given out", func(t *testing.T) {
		f := newFake()
		f.fault = on("CreateSecret", failCall)
		got, err := open(f).StageKey(ctx, issuance("1"), newKey(t))
		wantFailure(t, err, renew.Later, reason.StorageFailed, keyName)
		if got != nil {
			t.Error("a key that isn't stored was given out")
		}
	})

	t.Run("somebody else's key that can't be seen yet is waited for", func(t *testing.T) {
		f := newFake()
		v := open(f)
		first := newKey(t)
		if _, err := v.StageKey(ctx, issuance("1"), first); err != nil {
			t.Fatal(err)
		}
		f.lag = 2
		got, err := v.StageKey(ctx, issuance("1"), newKey(t))
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, first)
	})

	t.Run("none staged, or one that is about to be deleted, is no key", func(t *testing.T) {
		f := newFake()
		v := open(f)
		if _, err := v.StagedKey(ctx, issuance("1")); !errors.Is(err, renew.ErrNoKey) {
			t.Errorf("got %v", err)
		}
		if _, err := v.StageKey(ctx, issuance("1"), newKey(t)); err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		f.secrets[keyName].deleted = &now
		if _, err := v.StagedKey(ctx, issuance("1")); !errors.Is(err, renew.ErrNoKey) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDroppingAKey(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		staged bool
		fault  verdict
	}{
		"it is gone for good":                    {true, pass},
		"none there is no error":                 {false, pass},
		"an error, but it was deleted, is none":  {true, lie},
		"an error about one that isn't, is none": {false, failCall},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			v := open(f)
			if c.staged {
				if _, err := v.StageKey(ctx, issuance("1"), newKey(t)); err != nil {
					t.Fatal(err)
				}
			}
			f.fault = on("DeleteSecret", c.fault)
			if err := v.DropKey(ctx, issuance("1")); err != nil {
				t.Fatal(err)
			}
			if len(f.secrets) != 0 {
				t.Error("the key is still there")
			}
		})
	}

	t.Run("one that stays is an error", func(t *testing.T) {
		f := newFake()
		v := open(f)
		if _, err := v.StageKey(ctx, issuance("1"), newKey(t)); err != nil {
			t.Fatal(err)
		}
		f.fault = on("DeleteSecret", failCall)
		wantFailure(t, v.DropKey(ctx, issuance("1")), renew.Later, reason.StorageFailed, keyName)
	})

	t.Run("a certificate's secret is never deleted with it", func(t *testing.T) {
		f := newFake()
		v := open(f)
		storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		if err := v.DropKey(ctx, renew.Issuance{ID: "1", Certificate: "www"}); err != nil {
			t.Fatal(err)
		}
		if f.secrets["certpace/www"] == nil {
			t.Error("it is gone")
		}
	})
}
