package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// record is a record in a zone of the fake.
func record(zone, domain, value string) renew.Record {
	return renew.Record{Challenge: renew.Challenge{Domain: domain, Value: value}, Provider: Route53, ZoneID: zone, FQDN: challengeName(domain)}
}

// failed checks a failure's kind and reason and that its text names what it must.
func failed(t *testing.T, err error, k renew.Kind, r reason.Reason, mentions ...string) {
	t.Helper()
	var f *renew.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a failure", err)
	}
	if f.Kind != k || f.Reason != r {
		t.Errorf("got %s %s, want %s %s: %v", f.Kind, f.Reason, k, r, err)
	}
	for _, m := range mentions {
		if !strings.Contains(err.Error(), m) {
			t.Errorf("%q doesn't mention %q", err, m)
		}
	}
}

func TestAllValuesOfAZoneGoIntoOneChange(t *testing.T) {
	f, s, _ := newTest(t)
	z := f.zone("Z1", "example.com.").with("example.com.", 300, `"v=spf1 -all"`)
	f.delay = 40 * time.Second
	records := []renew.Record{record("Z1", "example.com", "a1"), record("Z1", "*.example.com", "a2")}
	for i := range 40 {
		records = append(records, record("Z1", fmt.Sprintf("n%d.example.com", i), "v"))
	}
	if err := s.route53.publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if f.counts["ChangeResourceRecordSets"] != 1 || f.counts["ListResourceRecordSets"] > 2 {
		t.Errorf("requests: %v", f.counts)
	}
	if got := z.values("_acme-challenge.example.com."); !slices.Equal(got, []string{`"a1"`, `"a2"`}) {
		t.Errorf("apex and wildcard: %v", got)
	}
	if got := f.answered("_acme-challenge.n7.example.com."); !slices.Equal(got, []string{"v"}) {
		t.Errorf("it didn't wait until the servers agree: %v", got)
	}
	if got := z.values("example.com."); len(got) != 1 {
		t.Errorf("a foreign record changed: %v", got)
	}
}

func TestNamesInSeveralZonesShareOneWait(t *testing.T) {
	f, s, c := newTest(t)
	f.delay = 40 * time.Second
	var records []renew.Record
	for i := range 5 {
		f.zone(fmt.Sprint("Z", i), fmt.Sprintf("e%d.com.", i))
		records = append(records, record(fmt.Sprint("Z", i), fmt.Sprintf("e%d.com", i), "v"))
	}
	began := c.Now()
	if err := s.route53.publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if took := c.Now().Sub(began); took > 55*time.Second {
		t.Errorf("took %s, five waits would be 200 s", took)
	}
}

func TestWhatIsNewOrOursIsChangedWithoutReadingIt(t *testing.T) {
	f, s, _ := newTest(t)
	z := f.zone("Z1", "example.com.")
	first, second := []renew.Record{record("Z1", "example.com", "v")}, []renew.Record{record("Z1", "*.example.com", "w")}
	for _, do := range []func() error{
		func() error { return s.route53.publish(t.Context(), first) },
		func() error { return s.route53.publish(t.Context(), second) },
		func() error { return s.route53.remove(t.Context(), first) },
		func() error { return s.route53.remove(t.Context(), second) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if f.counts["ListResourceRecordSets"] != 0 || f.counts["ChangeResourceRecordSets"] != 4 || len(z.sets) != 0 {
		t.Errorf("requests: %v, left: %v", f.counts, z.sets)
	}
	for range 2 { // what isn't there any more isn't known to be so
		if err := s.route53.remove(t.Context(), first); err != nil {
			t.Fatal(err)
		}
	}
	if f.counts["ListResourceRecordSets"] != 2 || f.counts["ChangeResourceRecordSets"] != 4 {
		t.Errorf("requests: %v", f.counts)
	}
}

func TestWhatOthersChangedMeanwhileIsReadBeforeItIsChanged(t *testing.T) {
	f, s, _ := newTest(t)
	z := f.zone("Z1", "example.com.")
	ours := []renew.Record{record("Z1", "example.com", "v")}
	if err := s.route53.publish(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	z.with(challenge1, 300, `"v"`, `"theirs"`)
	if err := s.route53.remove(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	if got := z.values(challenge1); !slices.Equal(got, []string{`"theirs"`}) || *z.sets[challenge1].TTL != 300 {
		t.Errorf("left: %v", got)
	}
	if f.counts["ListResourceRecordSets"] != 1 || f.counts["ChangeResourceRecordSets"] != 3 {
		t.Errorf("requests: %v", f.counts)
	}
}

func TestPublishingAgainWritesNothing(t *testing.T) {
	f, s, _ := newTest(t)
	f.zone("Z1", "example.com.")
	records := []renew.Record{record("Z1", "example.com", "v")}
	for range 2 {
		if err := s.route53.publish(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	if err := solversOf(f, s.clock.Sleep).route53.publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if len(f.batches) != 1 {
		t.Errorf("%d changes were carried out; requests: %v", len(f.batches), f.counts)
	}
}

func TestPublishingAgainStillWaitsForTheChangeOfBefore(t *testing.T) {
	f, s, c := newTest(t)
	f.zone("Z1", "example.com.")
	f.delay = 40 * time.Second
	records := []renew.Record{record("Z1", "example.com", "v")}
	short, cancel := context.WithCancel(t.Context())
	s.clock.Sleep = func(context.Context, time.Duration) error { cancel(); return short.Err() }
	s.route53.clock = s.clock
	failed(t, s.route53.publish(short, records), renew.Later, reason.Interrupted)
	s.route53.clock.Sleep = c.Sleep
	if err := s.route53.publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if got := f.answered(challenge1); len(got) != 1 {
		t.Error("it returned before the servers agreed")
	}
}

func TestRemoveNeedsNothingButTheRecords(t *testing.T) {
	f, s, c := newTest(t)
	z := f.zone("Z1", "example.com.").with(challenge1, 300, `"foreign"`)
	f.delay = 40 * time.Second
	records := []renew.Record{record("Z1", "example.com", "v"), record("Z1", "www.example.com", "w")}
	if err := s.route53.publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	began := c.Now()
	later := solversOf(f, c.Sleep)
	for range 2 {
		if err := later.Remove(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	if took := c.Now().Sub(began); took > 5*time.Second {
		t.Errorf("removing waited for the servers: %s", took)
	}
	if got := z.values(challenge1); !slices.Equal(got, []string{`"foreign"`}) || *z.sets[challenge1].TTL != 300 {
		t.Errorf("left: %v", got)
	}
	if got := z.values("_acme-challenge.www.example.com."); got != nil {
		t.Errorf("left: %v", got)
	}
}

func TestRequestsArePaced(t *testing.T) {
	f, s, _ := newTest(t)
	var records []renew.Record
	for i := range 20 {
		f.zone(fmt.Sprint("Z", i), fmt.Sprintf("e%d.com.", i))
		records = append(records, record(fmt.Sprint("Z", i), fmt.Sprintf("e%d.com", i), "v"))
	}
	if err := s.route53.publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for i := range f.times {
		if i >= 4 && f.times[i].Sub(f.times[i-4]) < 990*time.Millisecond {
			t.Fatalf("requests %d to %d within %s", i-4, i, f.times[i].Sub(f.times[i-4]))
		}
	}
}

// TestFaults: what Route 53 answers at a moment, and what comes of it.
func TestFaults(t *testing.T) {
	lost := errors.New("connection reset by peer")
	code := func(c string) error { return apiError("ChangeResourceRecordSets", c, "because", smithy.FaultClient) }
	only := func(op string, v verdict, times int) func(string, int) verdict {
		return func(o string, nth int) verdict {
			if o == op && nth <= times {
				return v
			}
			return verdict{}
		}
	}
	const change, list, status = "ChangeResourceRecordSets", "ListResourceRecordSets", "GetChange"
	for name, row := range map[string]struct {
		hook    func(string, int) verdict
		kind    renew.Kind // 0: it succeeds
		reason  reason.Reason
		says    []string
		changes int // batches carried out
	}{
		"an error, but it was written, is written once":              {only(change, verdict{lost, true}, 1), 0, "", nil, 1},
		"an error, and it wasn't written, is written again":          {only(change, verdict{lost, false}, 1), 0, "", nil, 1},
		"a server error that was a success is a success":             {only(change, verdict{apiError(change, "InternalError", "", smithy.FaultServer), true}, 1), 0, "", nil, 1},
		"a change before this one isn't complete: it waits":          {only(change, verdict{err: &types.PriorRequestNotComplete{}}, 3), 0, "", nil, 1},
		"a change before this one never completes: later":            {only(change, verdict{err: &types.PriorRequestNotComplete{}}, 99), renew.Later, reason.DNSWriteFailed, []string{"Z1"}, 0},
		"throttled for a while: it waits":                            {only(list, verdict{err: code("Throttling")}, 4), 0, "", nil, 1},
		"throttled for ever: later":                                  {only(list, verdict{err: code("Throttling")}, 99), renew.Later, reason.DNSWriteFailed, []string{"Throttling"}, 0},
		"reading fails for a while: it reads again":                  {only(list, verdict{err: lost}, 3), 0, "", nil, 1},
		"writing fails for ever: later":                              {only(change, verdict{err: lost}, 99), renew.Later, reason.DNSWriteFailed, []string{"5 times", "connection reset"}, 0},
		"the role may not write: never":                              {only(change, verdict{err: code("AccessDenied")}, 99), renew.Never, reason.PermissionDenied, []string{"route53:ChangeResourceRecordSets", "because"}, 0},
		"the role may not read: never":                               {only(list, verdict{err: apiError(list, "AccessDeniedException", "because", smithy.FaultClient)}, 99), renew.Never, reason.PermissionDenied, []string{"route53:ListResourceRecordSets"}, 0},
		"the role may not ask for the state of a change: never":      {only(status, verdict{err: apiError(status, "AccessDenied", "because", smithy.FaultClient)}, 99), renew.Never, reason.PermissionDenied, []string{"route53:GetChange"}, 1},
		"the zone is gone: never":                                    {only(list, verdict{err: &types.NoSuchHostedZone{Message: new("No hosted zone found with ID: Z1")}}, 99), renew.Never, reason.ZoneNotFound, []string{"Z1"}, 0},
		"a name outside of the configured zone: never":               {only(change, verdict{err: &types.InvalidChangeBatch{Messages: []string{"RRSet with DNS name a. is not permitted in zone b."}}}, 99), renew.Never, reason.ZoneNotFound, []string{"is not permitted in zone b."}, 0},
		"a CNAME stands where the value must: later, with the words": {only(change, verdict{err: &types.InvalidChangeBatch{Messages: []string{"RRSet of type TXT conflicts with a CNAME"}}}, 99), renew.Later, reason.DNSWriteFailed, []string{"conflicts with a CNAME"}, 0},
		"the record sets change under our hands: it reads again":     {only(change, verdict{err: &types.InvalidChangeBatch{Messages: []string{"Tried to create it, but it already exists"}}}, 4), 0, "", nil, 1},
		"they change faster than we write: later":                    {only(change, verdict{err: &types.InvalidChangeBatch{Messages: []string{"Tried to create it, but it already exists"}}}, 99), renew.Later, reason.DNSWriteFailed, []string{"5 times", "already exists"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, s, _ := newTest(t)
			z := f.zone("Z1", "example.com.").with(challenge1, 300, `"foreign"`)
			f.hook, f.delay = row.hook, 10*time.Second
			err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "example.com", "v")})
			if row.kind == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if got := z.values(challenge1); !slices.Equal(got, []string{`"foreign"`, `"v"`}) {
					t.Errorf("there is %v", got)
				}
			} else {
				failed(t, err, row.kind, row.reason, row.says...)
			}
			if len(f.batches) != row.changes {
				t.Errorf("%d changes were carried out", len(f.batches))
			}
		})
	}
}

func TestAChangeThatStaysPendingIsForLater(t *testing.T) {
	f, s, _ := newTest(t)
	f.zone("Z1", "example.com.")
	f.delay = time.Hour
	err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "example.com", "v")})
	failed(t, err, renew.Later, reason.DNSWriteFailed, "PENDING", "Z1", "C1")
	if f.counts["GetChange"] > 80 {
		t.Errorf("%d looks in 5 minutes", f.counts["GetChange"])
	}
}

func TestAWaitThatDoesNotFitTheDeadlineIsForLater(t *testing.T) {
	c := newStepped()
	c.t = time.Now()
	f := newFake53(t, c.Now)
	s := solversOf(f, c.Sleep)
	f.zone("Z1", "example.com.")
	f.delay = time.Hour
	ctx, cancel := context.WithDeadline(t.Context(), c.t.Add(time.Minute))
	defer cancel()
	err := s.route53.publish(ctx, []renew.Record{record("Z1", "example.com", "v")})
	failed(t, err, renew.Later, reason.Deadline, "deadline")
	if c.Now().After(c.t.Add(time.Minute)) {
		t.Error("it waited longer than there was time")
	}
}

func TestAssumingARoleThatIsDeniedNamesThatAction(t *testing.T) {
	f, s, _ := newTest(t)
	f.zone("Z1", "example.com.")
	sts := &smithy.OperationError{ServiceID: "STS", OperationName: "AssumeRole", Err: &smithy.GenericAPIError{Code: "AccessDenied", Message: "no"}}
	f.hook = func(string, int) verdict {
		return verdict{err: &smithy.OperationError{ServiceID: "Route 53", OperationName: "ListResourceRecordSets", Err: fmt.Errorf("get credentials: %w", sts)}}
	}
	r := record("Z1", "example.com", "v")
	r.RoleARN = "arn:aws:iam::1:role/dns"
	failed(t, s.route53.publish(t.Context(), []renew.Record{r}), renew.Never, reason.PermissionDenied, "sts:AssumeRole", r.RoleARN)
}

func TestARoleIsAssumedOnce(t *testing.T) {
	f, _, c := newTest(t)
	f.zone("Z1", "example.com.")
	var roles []string
	connect := func(role Role) Route53Client { roles = append(roles, role.ARN+" "+role.ExternalID); return f }
	s := New(Options{Route53: connect, Now: c.Now, Sleep: c.Sleep, Resolvers: []string{"127.0.0.1:1"}})
	own, other := record("Z1", "example.com", "v"), record("Z1", "www.example.com", "v")
	other.RoleARN = "arn:aws:iam::1:role/dns"
	third := record("Z1", "api.example.com", "v")
	third.RoleARN, third.RoleExternalID = other.RoleARN, "customer 7"
	for range 2 {
		if err := s.route53.publish(t.Context(), []renew.Record{own, other, third}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(roles)
	if !slices.Equal(roles, []string{" ", other.RoleARN + " ", other.RoleARN + " customer 7"}) {
		t.Errorf("clients were made for %q", roles)
	}
}

func TestWithoutAClientRoute53IsAMistakeOfTheSettings(t *testing.T) {
	s := New(Options{Resolvers: []string{"127.0.0.1:1"}})
	r := []renew.Record{record("Z1", "example.com", "v")}
	failed(t, s.Publish(t.Context(), r), renew.Never, reason.Configuration, Route53)
	failed(t, s.Remove(t.Context(), r), renew.Never, reason.Configuration, Route53)
}
