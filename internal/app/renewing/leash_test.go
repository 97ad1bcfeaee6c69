package renewing

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/metric"
	"github.com/certpace/certpace/internal/queue"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store"
)

// frozen is the worker as it is wired, on a clock of the test's, with one server in the place of
// AWS and of the CA.
type frozen struct {
	*renew.Worker
	table    *store.Store
	queue    *queue.Queue
	leash    *app.Leash
	now      atomic.Int64
	requests atomic.Int64
	onFirst  func() // happens while the first request is answered
}

func newFrozen(t *testing.T) (*frozen, string) {
	t.Helper()
	f := &frozen{}
	f.now.Store(time.Now().UnixNano())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if f.requests.Add(1) == 1 && f.onFirst != nil {
			f.onFirst()
		}
		w.WriteHeader(http.StatusServiceUnavailable) // which every client would try again
	}))
	t.Cleanup(server.Close)
	f.leash = &app.Leash{Now: func() time.Time { return time.Unix(0, f.now.Load()) }}
	cloud := aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")}
	cfg := app.Config{Table: "certpace", SecretPrefix: "certpace/", EventBus: "default", QueueURL: server.URL + "/q", DNSProvider: "route53", Rate: 1000}
	var err error
	f.Worker, f.table, err = New(cfg, cloud, slog.New(slog.DiscardHandler), f.leash, metric.New(io.Discard, time.Now, "d", "0"))
	if err != nil {
		t.Fatal(err)
	}
	f.queue = queue.New(sqs.NewFromConfig(f.leash.AWS(cloud)), cfg.QueueURL)
	return f, server.URL
}

// calls are those of every port of the worker, by name.
func (f *frozen) calls(t *testing.T, url string) map[string]func(context.Context) error {
	t.Helper()
	key, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		t.Fatal(err)
	}
	i := renew.Issuance{Key: "k", ID: "i", Certificate: "www", Owner: "me", Fence: 1, Rev: 1, Until: time.Now()}
	c := inventory.Certificate{Name: "www", Shard: "0", Rev: 1}
	s := renew.Stored{SecretARN: "arn:aws:secretsmanager:eu-central-1:1:secret:certpace/www", VersionID: "v", Bundle: bundle.Bundle{PrivateKey: "p", Certificate: "c"}}
	write := []budget.Write{{Key: budget.Key{CA: "ca.example", Limit: budget.NewOrdersPerAccount, Subject: "0"}, New: budget.BucketAt(1)}}
	records := []renew.Record{{Challenge: renew.Challenge{Domain: "a.example", Value: "v"}, Provider: "route53", ZoneID: "Z1", FQDN: "_acme-challenge.a.example."}}
	return map[string]func(context.Context) error{
		"Certificate":     func(ctx context.Context) error { _, err := f.Certificates.Certificate(ctx, "www"); return err },
		"SaveCertificate": func(ctx context.Context) error { _, err := f.Certificates.SaveCertificate(ctx, c); return err },
		"Claim": func(ctx context.Context) error {
			_, _, err := f.Issuances.Claim(ctx, renew.Claim{Key: "k", Certificate: c, Owner: "me", Now: time.Now(), Until: time.Now()})
			return err
		},
		"Progress": func(ctx context.Context) error { _, err := f.Issuances.Progress(ctx, i); return err },
		"Spend":    func(ctx context.Context) error { _, err := f.Issuances.Spend(ctx, i, write, nil); return err },
		"Close":    func(ctx context.Context) error { _, err := f.Issuances.Close(ctx, i, c); return err },
		"Buckets": func(ctx context.Context) error {
			_, err := f.Budgets.Buckets(ctx, []budget.Key{write[0].Key})
			return err
		},
		"MoveBuckets": func(ctx context.Context) error { return f.Budgets.MoveBuckets(ctx, write) },
		"RememberSet": func(ctx context.Context) error { return f.Sets.RememberSet(ctx, "ca.example", "h", time.Now()) },
		"AcquireWorker": func(ctx context.Context) error {
			_, err := f.Lease.AcquireWorker(ctx, "0", "me", time.Now(), time.Now())
			return err
		},
		"ReleaseWorker": func(ctx context.Context) error { return f.Lease.ReleaseWorker(ctx, "0", "me", 1, 0) },
		"OpenAccount": func(ctx context.Context) error {
			_, err := f.Accounts.OpenAccount(ctx, "0", url+"/directory", func(context.Context) error { return nil })
			return err
		},
		"Window": func(ctx context.Context) error {
			_, err := f.RenewalInfo.Window(ctx, url+"/directory", "a.b")
			return err
		},
		"Publish":  func(ctx context.Context) error { return f.DNS.Publish(ctx, records) },
		"Remove":   func(ctx context.Context) error { return f.DNS.Remove(ctx, records) },
		"StageKey": func(ctx context.Context) error { _, err := f.Keys.StageKey(ctx, i, key); return err },
		"DropKey":  func(ctx context.Context) error { return f.Keys.DropKey(ctx, i) },
		"Current":  func(ctx context.Context) error { _, err := f.Vault.Current(ctx, "www"); return err },
		"Stage":    func(ctx context.Context) error { _, err := f.Vault.Stage(ctx, i, s.Bundle); return err },
		"Promote":  func(ctx context.Context) error { return f.Vault.Promote(ctx, s) },
		"Dress":    func(ctx context.Context) error { return f.Vault.Dress(ctx, inventory.Secret{}, s) },
		"Import": func(ctx context.Context) error {
			return f.ACM.Import(ctx, "arn:aws:acm:eu-central-1:1:certificate/1", s.Bundle)
		},
		"Event": func(ctx context.Context) error {
			return f.Bus.Publish(ctx, event.Failed(event.Subject{Certificate: "www"}, "deadline", "", time.Time{}))
		},
		"RecordMessage": func(ctx context.Context) error {
			return f.table.RecordMessage(ctx, store.MessageRecord{ID: "1", At: time.Now()})
		},
		"Defer": func(ctx context.Context) error { return f.queue.Defer(ctx, "r", time.Second) },
	}
}

// A worker that was stopped, and goes on after its lease's end, sends nothing: neither what it was
// about to do, nor the next step, nor a repeat.
func TestAFrozenWorkerSendsNothingAfterItsEnd(t *testing.T) {
	probe, url := newFrozen(t)
	for name := range probe.calls(t, url) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("frozen before the call", func(t *testing.T) {
				t.Parallel()
				f, url := newFrozen(t)
				f.leash.Until(time.Unix(0, f.now.Load()).Add(time.Minute))
				f.now.Add(int64(time.Hour))
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				if err := f.calls(t, url)[name](ctx); err == nil {
					t.Error("it says that it was done")
				}
				if n := f.requests.Load(); n != 0 {
					t.Errorf("%d requests", n)
				}
			})
			t.Run("frozen within it", func(t *testing.T) {
				t.Parallel()
				f, url := newFrozen(t)
				f.leash.Until(time.Unix(0, f.now.Load()).Add(time.Minute))
				f.onFirst = func() { f.now.Add(int64(time.Hour)) }
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				if err := f.calls(t, url)[name](ctx); err == nil {
					t.Error("it says that it was done")
				}
				if n := f.requests.Load(); n > 1 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

func TestALeashThatIsOffHoldsNobody(t *testing.T) {
	f, url := newFrozen(t)
	f.leash.Until(time.Time{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_ = f.calls(t, url)["SaveCertificate"](ctx)
	if f.requests.Load() == 0 {
		t.Error("nothing was sent")
	}
}
