package entry

import (
	"fmt"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// MaxSpend is how many bucket items one order can move: DynamoDB's 100 actions in a transaction, less the issuance itself.
const MaxSpend = 99

// KeyedBucket is a bucket with its key.
type KeyedBucket struct {
	Key    budget.Key
	Bucket budget.Bucket
}

// The attribute that keeps a bucket's TAT.
const (
	attrTAT         = "tat"
	attrFailedTAT   = "tat_failed_authorizations"
	attrConsecutive = "tat_consecutive_failures"
)

// failures stands for both limits of a name's failures in an item's id: the two buckets share an item, so that one read gets both.
const failures = "failures"

// BucketItem says in which item, and in which attribute of it, a bucket is kept. A name's failed authorizations and its consecutive
// failures share one.
func BucketItem(k budget.Key) (id, attribute string) {
	switch k.Limit {
	case budget.FailedAuthorizations:
		return k.CA + "/" + failures + "/" + k.Subject, attrFailedTAT
	case budget.ConsecutiveFailures:
		return k.CA + "/" + failures + "/" + k.Subject, attrConsecutive
	}
	return k.String(), attrTAT
}

// BucketAttributes lists the attributes of the item that keeps a bucket.
func BucketAttributes(k budget.Key) []string {
	if _, own := BucketItem(k); own != attrTAT {
		return []string{attrConsecutive, attrFailedTAT}
	}
	return []string{attrTAT}
}

// BucketKeys lists the attributes that an item can have, with the bucket that each one keeps.
func BucketKeys(id string) (map[string]budget.Key, error) {
	parts := strings.SplitN(id, "/", 3)
	if len(parts) != 3 || parts[1] != failures {
		k, err := budget.ParseKey(id)
		if err == nil && (k.Limit == budget.FailedAuthorizations || k.Limit == budget.ConsecutiveFailures) {
			err = fmt.Errorf("budget key: %.300q belongs into an item of failures", id)
		}
		if err != nil {
			return nil, err
		}
		return map[string]budget.Key{attrTAT: k}, nil
	}
	if parts[0] == "" || parts[2] == "" {
		return nil, fmt.Errorf("budget key: %.300q is incomplete; write <CA host>/failures/<account> <name>", id)
	}
	return map[string]budget.Key{
		attrFailedTAT:   {CA: parts[0], Limit: budget.FailedAuthorizations, Subject: parts[2]},
		attrConsecutive: {CA: parts[0], Limit: budget.ConsecutiveFailures, Subject: parts[2]},
	}, nil
}

// Movable says whether writes can be made in one go: each bucket once, and in a transaction no more than it holds.
func Movable(writes []budget.Write, transaction bool) error {
	seen, items := map[budget.Key]bool{}, map[string]bool{}
	for _, w := range writes {
		if seen[w.Key] {
			return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("bucket %s is moved twice in one go; move it once by the sum", w.Key))
		}
		seen[w.Key] = true
		id, _ := BucketItem(w.Key)
		items[id] = true
	}
	if transaction && len(items) > MaxSpend {
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(
			"the order moves %d budgets, one transaction holds %d; divide the certificate, so that each has at most 97 registered domains, 48 where the account has a limit of its own on them", len(items), MaxSpend))
	}
	return nil
}

// Raced names the buckets that somebody else moved, a few of them where there are many.
func Raced(keys []budget.Key) error {
	var named []string
	for _, k := range keys[:min(len(keys), 3)] {
		named = append(named, k.String())
	}
	if more := len(keys) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("moving %s: %w", strings.Join(named, ", "), renew.ErrRaced)
}

// Rescaled is a bucket after its limit changed from one set to another.
//
// As many tokens are missing afterwards as before, or more: where a limit gets more generous the TAT stays, because the CA leaves its
// own TAT as it is too (boulder #8785), and to believe otherwise would earn a denial. That also makes a repeat, after a crash halfway,
// no worse than too careful.
func Rescaled(from, to budget.Limits, k budget.Key, b budget.Bucket, now time.Time) budget.Bucket {
	before, was := from.Of(k)
	after, is := to.Of(k)
	if !was || !is {
		return b
	}
	return budget.Stricter(b, budget.Rescale(before, after, b, now))
}
