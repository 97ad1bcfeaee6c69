package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/bus"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// fake is an EventBridge bus. code answers for the n-th offer of a certificate's event, from 0: empty takes it, anything else is the error
// code; "lost" breaks the call though all of its events were taken.
type fake struct {
	t       interface{ Fatalf(string, ...any) }
	code    func(certificate string, offer int) string
	err     error
	short   bool // the answer has no entries
	offers  map[string]int
	entries []types.PutEventsRequestEntry
	batches []int
}

func (f *fake) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	f.check(in)
	f.batches = append(f.batches, len(in.Entries))
	if f.offers == nil {
		f.offers = map[string]int{}
	}
	out, lost := &eventbridge.PutEventsOutput{}, false
	for _, e := range in.Entries {
		var d event.Detail
		if err := json.Unmarshal([]byte(*e.Detail), &d); err != nil {
			f.t.Fatalf("the detail isn't JSON: %v", err)
		}
		code := ""
		if f.code != nil {
			code = f.code(d.Certificate, f.offers[d.Certificate])
		}
		f.offers[d.Certificate]++
		if code == "" || code == "lost" {
			lost = lost || code == "lost"
			f.entries = append(f.entries, e)
			out.Entries = append(out.Entries, types.PutEventsResultEntry{EventId: aws.String("id")})
			continue
		}
		out.FailedEntryCount++
		out.Entries = append(out.Entries, types.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: aws.String("because")})
	}
	if f.err != nil {
		return nil, f.err
	}
	if lost {
		return nil, errors.New("connection reset by peer")
	}
	if f.short {
		out.Entries = nil
	}
	return out, nil
}

// check fails the test where EventBridge would refuse the call.
func (f *fake) check(in *eventbridge.PutEventsInput) {
	total := 0
	for _, e := range in.Entries {
		total += len(*e.Source) + len(*e.DetailType) + len(*e.Detail)
		for _, r := range e.Resources {
			total += len(r)
		}
		if *e.EventBusName != "certpace" || *e.Source != "certpace" {
			f.t.Fatalf("an event of %s on %s", *e.Source, *e.EventBusName)
		}
	}
	if n := len(in.Entries); n == 0 || n > 10 || total > 256*1024 && n > 1 {
		f.t.Fatalf("%d events of %d bytes in one call", n, total)
	}
}

func open(f *fake) *bus.Bus {
	b := bus.New(f, "certpace", "prod")
	b.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return b
}

func events(n int) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		out[i] = event.Failed(event.Subject{Certificate: fmt.Sprintf("c%d", i)}, reason.CAUnavailable, "the CA is away", time.Time{})
	}
	return out
}

func TestPublish(t *testing.T) {
	ctx := context.Background()

	t.Run("an event is what its rules see", func(t *testing.T) {
		f := &fake{t: t}
		next := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		issued := event.Issued(event.Subject{Certificate: "www", Domains: []string{"www.example.com"}, SecretARN: "arn:s", VersionID: "v"}, "renewal", "done", next)
		if err := open(f).Publish(ctx, issued, events(1)[0]); err != nil {
			t.Fatal(err)
		}
		e := f.entries[0]
		want := `{"schema_version":1,"deployment":"prod","certificate":"www","domains":["www.example.com"],"secret_arn":"arn:s","version_id":"v","reason":"renewal","message":"done","next_attempt":"2026-12-01T00:00:00Z"}`
		if diff := cmp.Diff(want, *e.Detail); diff != "" || *e.DetailType != "Certificate Issued" {
			t.Errorf("%s: %s", *e.DetailType, diff)
		}
		if diff := cmp.Diff([]string{"arn:s"}, e.Resources); diff != "" || f.entries[1].Resources != nil {
			t.Errorf("resources %v and %v", e.Resources, f.entries[1].Resources)
		}
	})

	t.Run("events go in tens, and fewer where they are long", func(t *testing.T) {
		f := &fake{t: t}
		if err := open(f).Publish(ctx, events(25)...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{10, 10, 5}, f.batches); diff != "" {
			t.Error(diff)
		}
		long := events(5)
		for i := range long {
			long[i].Detail.Message = strings.Repeat("x", 100_000)
		}
		f.batches = nil
		if err := open(f).Publish(ctx, long...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{2, 2, 1}, f.batches); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("no events are no call", func(t *testing.T) {
		f := &fake{t: t}
		if err := open(f).Publish(ctx); err != nil || len(f.batches) > 0 {
			t.Error(err, f.batches)
		}
	})

	t.Run("what is refused is named with its kind, certificate and reason; the rest is published", func(t *testing.T) {
		f := &fake{t: t, code: func(c string, _ int) string {
			return map[string]string{"c1": "InvalidArgument", "c11": "ThrottlingException"}[c]
		}}
		err := open(f).Publish(ctx, events(12)...)
		wantFailure(t, err, renew.Later, reason.StorageFailed, "2 of 12", "Certificate Renewal Failed of c1 (InvalidArgument: because)", "c11 (ThrottlingException")
		if len(f.entries) != 10 || f.offers["c1"] != 1 || f.offers["c11"] != 4 {
			t.Errorf("%d published, offers %v", len(f.entries), f.offers)
		}
	})

	t.Run("a refusal that passes is no error", func(t *testing.T) {
		f := &fake{t: t, code: func(_ string, n int) string { return []string{"InternalFailure", "ThrottlingException", ""}[n] }}
		if err := open(f).Publish(ctx, events(3)...); err != nil || len(f.entries) != 3 {
			t.Error(err, len(f.entries))
		}
	})

	t.Run("an answer that mentions no event accepts none", func(t *testing.T) {
		err := open(&fake{t: t, short: true}).Publish(ctx, events(1)...)
		wantFailure(t, err, renew.Later, reason.StorageFailed, "c0", "doesn't mention it")
	})
}

func TestPublishWhereCallsFail(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		err  error
		kind renew.Kind
		why  reason.Reason
		word string
	}{
		"a bus that isn't there names the setting": {&smithy.GenericAPIError{Code: "ResourceNotFoundException"}, renew.Never, reason.Configuration, "CERTPACE_EVENT_BUS"},
		"a denied action is named":                 {&smithy.GenericAPIError{Code: "AccessDeniedException"}, renew.Never, reason.PermissionDenied, "events:PutEvents"},
		"throttling passes":                        {&smithy.GenericAPIError{Code: "ThrottlingException"}, renew.Later, reason.StorageFailed, "Throttling"},
		"a lost answer passes":                     {errors.New("connection reset by peer"), renew.Later, reason.StorageFailed, "reset by peer"},
	} {
		t.Run(name, func(t *testing.T) {
			err := open(&fake{t: t, err: c.err}).Publish(ctx, events(13)...)
			wantFailure(t, err, c.kind, c.why, "publishing Certificate Renewal Failed of c0 and 12 more events", c.word)
		})
	}

	t.Run("the invocation's end is told apart from the service's faults", func(t *testing.T) {
		late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
		defer cancel()
		wantFailure(t, open(&fake{t: t, err: errors.New("no")}).Publish(late, events(1)...), renew.Later, reason.Deadline, "c0")
		gone, cancel := context.WithCancel(ctx)
		cancel()
		busy := &fake{t: t, code: func(string, int) string { return "InternalFailure" }}
		wantFailure(t, open(busy).Publish(gone, events(1)...), renew.Later, reason.Interrupted, "c0")
	})

	t.Run("events that stay refused take seconds, not minutes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			b := bus.New(&fake{t: t, code: func(string, int) string { return "InternalFailure" }}, "certpace", "prod")
			if err := b.Publish(t.Context(), events(1)...); err == nil {
				t.Fatal("no error")
			}
			if took := time.Since(start); took != 1400*time.Millisecond {
				t.Errorf("it waited %s", took)
			}
		})
	})
}

// Whatever EventBridge answers, without an error every event is on the bus.
func TestNoEventIsLostUnreported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fake{t: t}
		f.code = func(string, int) string {
			return rapid.SampledFrom([]string{"", "", "", "", "ThrottlingException", "InternalFailure", "InvalidArgument", "lost"}).Draw(t, "code")
		}
		es := events(rapid.IntRange(0, 25).Draw(t, "events"))
		err := open(f).Publish(context.Background(), es...)
		published := map[string]bool{}
		for _, e := range f.entries {
			var d event.Detail
			_ = json.Unmarshal([]byte(*e.Detail), &d)
			published[d.Certificate] = true
		}
		for _, e := range es {
			if name := e.Detail.Certificate; err == nil && !published[name] {
				t.Fatalf("%s is missing", name)
			} else if err != nil && !strings.Contains(err.Error(), "more event") && !published[name] && !strings.Contains(err.Error(), " of "+name) {
				t.Fatalf("%s is missing, and %v doesn't name it", name, err)
			}
		}
	})
}

// wantFailure checks kind, reason and that the message holds every word.
func wantFailure(t *testing.T, err error, k renew.Kind, r reason.Reason, words ...string) {
	t.Helper()
	var f *renew.Failure
	if !errors.As(err, &f) {
		t.Fatalf("wanted a failure of kind %s, got %v", k, err)
	}
	if f.Kind != k || f.Reason != r {
		t.Errorf("failure is %s %s, wanted %s %s: %v", f.Kind, f.Reason, k, r, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q isn't in %q", w, err)
		}
	}
}

func TestWhatIsNotKnownToBeOnTheBusIsCounted(t *testing.T) {
	for name, row := range map[string]struct {
		fake *fake
		want int
	}{
		"all taken":            {&fake{}, 0},
		"one refused for good": {&fake{code: only("c1", "AccessDeniedException")}, 1},
		"one refused for ever": {&fake{code: only("c1", "ThrottlingException")}, 1},
		"one taken at the second": {&fake{code: func(c string, offer int) string {
			return map[bool]string{true: "ThrottlingException"}[c == "c1" && offer == 0]
		}}, 0},
		"a call that fails":        {&fake{err: errors.New("no route")}, 12},
		"an answer that says none": {&fake{short: true}, 12},
		"a call that fails after one in which one is refused": {&fake{code: func(c string, _ int) string {
			return map[string]string{"c1": "AccessDeniedException", "c11": "lost"}[c]
		}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			row.fake.t = t
			b, got := open(row.fake), 0
			b.Refused = func(n int) { got += n }
			err := b.Publish(context.Background(), events(12)...)
			if got != row.want {
				t.Errorf("counted %d, want %d", got, row.want)
			}
			var untold *plan.Untold
			if errors.As(err, &untold) != (row.want > 0) {
				t.Fatalf("%v names nothing", err)
			}
			if row.want == 0 {
				return
			}
			if slices.Sort(untold.Certificates); len(slices.Compact(untold.Certificates)) != row.want {
				t.Errorf("untold are %v, want %d", untold.Certificates, row.want)
			}
			if row.want < 12 && !slices.Contains(untold.Certificates, "c1") {
				t.Errorf("untold are %v, want c1 among them", untold.Certificates)
			}
		})
	}
}

// only answers a code to every offer of one certificate's event.
func only(certificate, code string) func(string, int) string {
	return func(c string, _ int) string {
		if c == certificate {
			return code
		}
		return ""
	}
}
