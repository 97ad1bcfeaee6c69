package witness

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// settleLimit is how long the worker may take, once a test has seen what it waited for, to give everything back.
const settleLimit = 15 * time.Second

// Watch holds, at the end of a test, that nothing of its issuances is left: no challenge value, no key in progress, no open issuance, no lease.
// Then it empties the queue, which is only a cache of the plan.
func (w *World) Watch(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if err := w.AWS.AllowAll(context.Background()); err != nil {
			t.Error(err)
		}
		var left []string
		for end := time.Now().Add(settleLimit); ; time.Sleep(lookEvery) {
			if left = w.left(t); len(left) == 0 || time.Now().After(end) {
				break
			}
		}
		if len(left) > 0 {
			t.Errorf("left behind: %s", strings.Join(left, "; "))
		}
		if _, err := w.SQS.PurgeQueue(context.Background(), &sqs.PurgeQueueInput{QueueUrl: &w.QueueURL}); err != nil {
			t.Error(err)
		}
	})
}

// left is everything that an issuance leaves while it is under way.
func (w *World) left(t testing.TB) (left []string) {
	ctx := context.Background()
	values, err := w.ChallengeValues(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		left = append(left, "challenge value at "+v)
	}
	for i, err := range w.Table.EachIssuance(ctx) {
		left = append(left, fmt.Sprintf("open issuance of %s (%v)", i.Certificate, err))
	}
	for _, name := range w.SecretsUnder(t, "pending/") {
		left = append(left, "key in "+name)
	}
	if until := w.LeaseEnds(t); !until.IsZero() {
		left = append(left, "worker's lease until "+until.Format(time.RFC3339))
	}
	if n := len(w.mailbox.under()); n > 0 {
		left = append(left, fmt.Sprintf("%d messages being delivered", n))
	}
	return left
}

// SecretsUnder names the secrets whose names begin with certpace's prefix and another one, also those that are marked for deletion.
func (w *World) SecretsUnder(t testing.TB, prefix string) (names []string) {
	t.Helper()
	pages := secretsmanager.NewListSecretsPaginator(w.Secrets, &secretsmanager.ListSecretsInput{
		IncludePlannedDeletion: aws.Bool(true), Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{w.SecretPrefix + prefix}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.SecretList {
			if strings.HasPrefix(*s.Name, w.SecretPrefix+prefix) {
				names = append(names, *s.Name)
			}
		}
	}
	return names
}
