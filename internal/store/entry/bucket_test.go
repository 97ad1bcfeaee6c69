package entry_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

func anyKey(t *rapid.T) budget.Key {
	return budget.Key{
		CA:      rapid.StringMatching(`[a-z0-9.:-]{1,20}`).Draw(t, "ca"),
		Limit:   rapid.SampledFrom(budget.Names()).Draw(t, "limit"),
		Subject: rapid.StringMatching(`[^\x00]{1,30}`).Draw(t, "subject"),
	}
}

func TestBucketItem(t *testing.T) {
	t.Run("a bucket's place leads back to the bucket", rapid.MakeCheck(func(t *rapid.T) {
		k := anyKey(t)
		id, attribute := entry.BucketItem(k)
		keys, err := entry.BucketKeys(id)
		if err != nil || keys[attribute] != k || !slices.Contains(entry.BucketAttributes(k), attribute) {
			t.Fatalf("%v is in %s of %s, where %v is (%v)", k, attribute, id, keys, err)
		}
	}))
	t.Run("two buckets never share a place", rapid.MakeCheck(func(t *rapid.T) {
		a, b := anyKey(t), anyKey(t)
		idA, atA := entry.BucketItem(a)
		idB, atB := entry.BucketItem(b)
		if (a == b) != (idA == idB && atA == atB) {
			t.Fatalf("%v is in %s of %s, %v in %s of %s", a, atA, idA, b, atB, idB)
		}
	}))
	t.Run("both buckets of a name's failures share an item", func(t *testing.T) {
		one, _ := entry.BucketItem(budget.Key{CA: "ca", Limit: budget.FailedAuthorizations, Subject: "0 a.example"})
		two, _ := entry.BucketItem(budget.Key{CA: "ca", Limit: budget.ConsecutiveFailures, Subject: "0 a.example"})
		if one != two {
			t.Errorf("%s and %s", one, two)
		}
	})
}

func FuzzBucketKeys(f *testing.F) {
	for _, id := range []string{
		"ca/new-orders-per-account/0", "ca/failures/0 a.example", "ca/failed-authorizations/x", "ca/failures/", "", "//", "ca/what/ever/else",
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		keys, err := entry.BucketKeys(id)
		if err != nil {
			return
		}
		for attribute, k := range keys {
			if back, at := entry.BucketItem(k); back != id || at != attribute {
				t.Errorf("%q holds %v, which belongs into %s of %q", id, k, at, back)
			}
		}
	})
}

func domainWrites(n int) []budget.Write {
	var writes []budget.Write
	for d := range n {
		writes = append(writes, budget.Write{Key: budget.Key{CA: "ca", Limit: budget.CertificatesPerRegisteredDomain, Subject: strconv.Itoa(d)}})
	}
	return writes
}

func TestMovable(t *testing.T) {
	pair := []budget.Write{
		{Key: budget.Key{CA: "ca", Limit: budget.FailedAuthorizations, Subject: "s"}}, {Key: budget.Key{CA: "ca", Limit: budget.ConsecutiveFailures, Subject: "s"}},
	}
	for name, tc := range map[string]struct {
		writes      []budget.Write
		transaction bool
		fault       string
	}{
		"nothing can be moved":                               {nil, true, ""},
		"as many as a transaction holds can be paid":         {domainWrites(99), true, ""},
		"one more can't":                                     {domainWrites(100), true, "100 budgets"},
		"the two of a name's failures are one item":          {append(domainWrites(98), pair...), true, ""},
		"one by one there is no limit":                       {domainWrites(1000), false, ""},
		"a bucket can't be moved twice, not even one by one": {append(domainWrites(1), domainWrites(1)...), false, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			err := entry.Movable(tc.writes, tc.transaction)
			var f *renew.Failure
			if tc.fault == "" && err != nil || tc.fault != "" && (!errors.As(err, &f) || f.Kind != renew.Never || !strings.Contains(err.Error(), tc.fault)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRaced(t *testing.T) {
	var keys []budget.Key
	for _, w := range domainWrites(5) {
		keys = append(keys, w.Key)
	}
	err := entry.Raced(keys)
	if !errors.Is(err, renew.ErrRaced) || !strings.Contains(err.Error(), keys[0].String()) || !strings.Contains(err.Error(), "2 more") {
		t.Errorf("got %v", err)
	}
}

func anyLimit(t *rapid.T, what string) budget.Limit {
	return budget.Limit{
		Burst: rapid.Int64Range(1, 1000).Draw(t, what+" burst"), Count: rapid.Int64Range(1, 1000).Draw(t, what+" count"),
		Period: time.Duration(rapid.Int64Range(int64(time.Second), int64(100*time.Hour)).Draw(t, what+" period")),
	}
}

func TestRescaled(t *testing.T) {
	k := budget.Key{CA: "ca", Limit: budget.NewOrdersPerAccount, Subject: "0"}
	t.Run("never makes a bucket fuller, however often it is done", rapid.MakeCheck(func(t *rapid.T) {
		from, to := budget.Limits{k.Limit: anyLimit(t, "from")}, budget.Limits{k.Limit: anyLimit(t, "to")}
		b := budget.BucketAt(noon.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(100*time.Hour)).Draw(t, "tat"))).UnixNano())
		for range 3 {
			after := entry.Rescaled(from, to, k, b, noon)
			if after.TATNanos() < b.TATNanos() {
				t.Fatalf("from %v to %v", b, after)
			}
			b = after
		}
	}))
	t.Run("leaves a bucket alone whose limit comes or goes", func(t *testing.T) {
		b, some := budget.BucketAt(noon.Add(time.Hour).UnixNano()), budget.LetsEncrypt()
		if got := entry.Rescaled(some, budget.Limits{}, k, b, noon); got != b {
			t.Errorf("going: got %v", got)
		}
		if got := entry.Rescaled(budget.Limits{}, some, k, b, noon); got != b {
			t.Errorf("coming: got %v", got)
		}
	})
}
