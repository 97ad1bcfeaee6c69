package lab

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/store"
)

// Pair is one bucket as the CA and as certpace have it: when it is full again. certpace's is the
// zero time where it has none, and may be later, never earlier.
type Pair struct {
	Key      budget.Key
	CA       time.Time
	Certpace time.Time
}

// Early is how much earlier certpace thinks that the bucket is full than the CA; 0 where it doesn't.
func (p Pair) Early() time.Duration {
	if p.Certpace.IsZero() { // which is full
		return time.Until(p.CA)
	}
	return max(0, p.CA.Sub(p.Certpace))
}

// Buckets are those of Boulder's that aren't full at a moment, by certpace's keys: this deployment's
// account's, and those that all accounts share. The CA's are read first, so that what certpace
// spends in between makes its own later.
func (c *Cloud) Buckets(ctx context.Context, now time.Time) ([]Pair, error) {
	theirs, err := c.Boulder.Buckets(ctx)
	if err != nil {
		return nil, err
	}
	host, err := budget.CAHost(c.Directory)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	var keys []budget.Key
	for _, b := range theirs {
		if k, ok := c.keyOf(host, b); ok && b.TAT.After(now) {
			pairs, keys = append(pairs, Pair{Key: k, CA: b.TAT}), append(keys, k)
		}
	}
	have, err := store.New(c.DynamoDB, c.TableName, app.Shard).Buckets(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("reading certpace's buckets: %w", err)
	}
	for n, p := range pairs {
		pairs[n].Certpace = have[p.Key].TAT
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return cmp.Compare(a.Key.String(), b.Key.String()) })
	return pairs, nil
}

// keyOf is the key under which certpace keeps a bucket of the CA's; ok is false for another
// account's.
func (c *Cloud) keyOf(host string, b boulder.Bucket) (k budget.Key, ok bool) {
	k = budget.Key{CA: host, Limit: b.Limit, Subject: b.Subject}
	switch b.Limit {
	case budget.NewRegistrationsPerIP, budget.NewRegistrationsPerIPv6Range:
		k.Subject = budget.AnyAddress
	case budget.NewOrdersPerAccount:
		k.Subject = app.Shard
	case budget.FailedAuthorizations, budget.ConsecutiveFailures:
		k.Subject = budget.FailureSubject(app.Shard, b.Subject)
	case budget.CertificatesPerRegisteredDomainPerAccount:
		k.Subject = budget.DomainSubject(app.Shard, b.Subject)
	}
	return k, b.Account == "" || b.Account == c.AccountNumber()
}

// AccountNumber is that of this deployment's account at Boulder; empty before its first order.
func (c *Cloud) AccountNumber() string {
	for _, o := range c.CA.Orders() {
		return o.Account[strings.LastIndexByte(o.Account, '/')+1:]
	}
	return ""
}
