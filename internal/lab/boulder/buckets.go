package boulder

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// Bucket is one as the CA keeps it in redis.
type Bucket struct {
	Limit   budget.Name
	Account string    // the account's number; empty where the limit isn't an account's
	Subject string    // the rest of the key: an address, a domain, a name, a hash
	TAT     time.Time // when it is full again (docs/limits.md, section 3)
}

func (b Bucket) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", b.Limit, b.Account, b.Subject))
}

// Buckets are all that the CA has, full ones included until redis forgets them.
func (b *Boulder) Buckets(ctx context.Context) ([]Bucket, error) {
	keys, err := b.askRedis(ctx, "--scan")
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	values, err := b.askRedis(ctx, append([]string{"mget"}, keys...)...)
	if err != nil {
		return nil, err
	}
	if len(values) != len(keys) {
		return nil, fmt.Errorf("reading the CA's buckets: %d keys have %d values", len(keys), len(values))
	}
	var all []Bucket
	for n, key := range keys {
		if values[n] == "" { // forgotten since it was listed
			continue
		}
		bucket, err := parseBucket(key, values[n])
		if err != nil {
			return nil, fmt.Errorf("reading the CA's buckets: %w", err)
		}
		all = append(all, bucket)
	}
	return all, nil
}

// parseBucket reads what Boulder's ratelimits/names.go and source_redis.go write: the limit's
// number and the subject, and nanoseconds since 1970.
func parseBucket(key, value string) (Bucket, error) {
	nanos, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return Bucket{}, fmt.Errorf("%s has the value %.40q, which is no time", key, value)
	}
	number, subject, _ := strings.Cut(key, ":")
	for _, n := range boulderNames {
		if n.number != number {
			continue
		}
		b := Bucket{Limit: n.name, Subject: subject, TAT: time.Unix(0, nanos).UTC()}
		if ofAccount(n.name) {
			b.Account, b.Subject, _ = strings.Cut(subject, ":")
		}
		return b, nil
	}
	return Bucket{}, fmt.Errorf("%.60q is a bucket of no limit that is known", key)
}

// ofAccount says whether a limit's keys begin with an account.
func ofAccount(n budget.Name) bool {
	switch n {
	case budget.NewOrdersPerAccount, budget.CertificatesPerRegisteredDomainPerAccount, budget.FailedAuthorizations, budget.ConsecutiveFailures:
		return true
	}
	return false
}
