package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	aws53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/smithy-go"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/wait"
)

// together runs jobs at once in a bubble whose clock stands still while anything works.
func together(t *testing.T, jobs int, job func(i int) error) []error {
	t.Helper()
	errs := make([]error, jobs)
	var wg sync.WaitGroup
	for i := range jobs {
		wg.Go(func() { errs[i] = job(i) })
	}
	wg.Wait()
	return errs
}

func TestJobsAtOnceAreMergedIntoFewChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		z := f.zone("Z1", "example.com.")
		f.delay = 40 * time.Second
		began := time.Now()
		errs := together(t, 20, func(i int) error {
			return s.route53.publish(t.Context(), []renew.Record{record("Z1", fmt.Sprintf("n%d.example.com", i), "v"), record("Z1", "example.com", fmt.Sprint(i))})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := len(f.batches); n > 3 {
			t.Errorf("%d changes for 20 jobs", n)
		}
		if n := len(z.values(challenge1)); n != 20 {
			t.Errorf("%d values of 20", n)
		}
		if took := time.Since(began); took > 60*time.Second {
			t.Errorf("took %s", took)
		}
		if n := f.counts["GetChange"]; n > 50 {
			t.Errorf("%d looks for %d changes", n, len(f.batches))
		}
	})
}

// Changes are taken in about as they were made: whoever looks at the oldest first knows of each soon.
func TestTheEndOfEachOfManyChangesIsSeenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const zones = 16
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		f.delay = 40 * time.Second
		for i := range zones {
			f.zone(fmt.Sprint("Z", i), fmt.Sprintf("d%d.example.", i))
		}
		began := time.Now()
		errs := together(t, zones, func(i int) error {
			return s.route53.publish(t.Context(), []renew.Record{record(fmt.Sprint("Z", i), fmt.Sprintf("d%d.example", i), "v")})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		made := zones * time.Second // each is changed and looked at, at two requests a second
		if took := time.Since(began); took > made+40*time.Second {
			t.Errorf("took %s, of which %s to make and see the changes", took, made)
		}
		if n := f.counts["GetChange"]; n > 60 {
			t.Errorf("%d looks at %d changes", n, zones)
		}
	})
}

func TestAJobsBadNameStaysItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		z := f.zone("Z1", "example.com.")
		errs := together(t, 6, func(i int) error {
			domain := fmt.Sprintf("n%d.example.com", i)
			if i == 3 {
				domain = "elsewhere.org"
			}
			return s.route53.publish(t.Context(), []renew.Record{record("Z1", domain, "v")})
		})
		for i, err := range errs {
			if i == 3 {
				failed(t, err, renew.Never, reason.ZoneNotFound, "elsewhere.org")
			} else if err != nil {
				t.Errorf("job %d: %v", i, err)
			}
		}
		if len(z.sets) != 5 {
			t.Errorf("%d names of 5", len(z.sets))
		}
	})
}

func TestAJobWhoseTimeEndsWhileItWritesForOthersLeavesThemUnharmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		z := f.zone("Z1", "example.com.")
		w := s.route53.writer(zoneKey{"Z1", Role{}})
		w.turn <- struct{}{} // somebody is writing while these two get in line
		first, cancel := context.WithCancel(t.Context())
		f.hook = func(op string, nth int) verdict {
			if op == "ChangeResourceRecordSets" && nth == 1 {
				cancel()
				return verdict{err: context.Canceled}
			}
			return verdict{}
		}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = s.route53.publish(first, []renew.Record{record("Z1", "a.example.com", "v")}) })
		synctest.Wait()
		wg.Go(func() { errs[1] = s.route53.publish(t.Context(), []renew.Record{record("Z1", "b.example.com", "v")}) })
		synctest.Wait()
		<-w.turn
		wg.Wait()
		if errs[1] != nil || z.values("_acme-challenge.b.example.com.") == nil {
			t.Errorf("the other job: %v", errs[1])
		}
		if len(w.queue) != 0 || len(w.turn) != 0 {
			t.Errorf("left behind: %d edits", len(w.queue))
		}
	})
}

func TestAJobThatGivesUpWhileOthersWriteForItIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		f.zone("Z1", "example.com.")
		w := s.route53.writer(zoneKey{"Z1", Role{}})
		w.turn <- struct{}{}
		second, cancel := context.WithCancel(t.Context())
		refusal := verdict{err: apiError("ChangeResourceRecordSets", "InvalidInput", "no", smithy.FaultClient)}
		f.hook = func(op string, nth int) verdict {
			if op != "ChangeResourceRecordSets" || nth > 1 {
				return verdict{}
			}
			cancel()
			time.Sleep(time.Second) // it gives up meanwhile
			return refusal
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "a.example.com", "v")}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			failed(t, s.route53.publish(second, []renew.Record{record("Z1", "b.example.com", "v")}), renew.Later, reason.Interrupted)
		})
		synctest.Wait()
		<-w.turn
		wg.Wait()
		if len(w.queue) != 0 {
			t.Errorf("left behind: %d edits", len(w.queue))
		}
	})
}

func TestAJobThatWaitsForItsTurnCanBeCancelled(t *testing.T) {
	f, s, _ := newTest(t)
	f.zone("Z1", "example.com.")
	w := s.route53.writer(zoneKey{"Z1", Role{}})
	w.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	failed(t, s.route53.publish(ctx, []renew.Record{record("Z1", "example.com", "v")}), renew.Later, reason.Interrupted)
	if len(w.queue) != 0 {
		t.Error("its edit is still in line")
	}
}

// interleaved is a client that lets somebody else change the zone between any two requests.
type interleaved struct {
	*fake53
	between func()
}

func (i interleaved) ChangeResourceRecordSets(ctx context.Context, in *aws53.ChangeResourceRecordSetsInput, o ...func(*aws53.Options)) (*aws53.ChangeResourceRecordSetsOutput, error) {
	i.between()
	return i.fake53.ChangeResourceRecordSets(ctx, in, o...)
}

func (i interleaved) ListResourceRecordSets(ctx context.Context, in *aws53.ListResourceRecordSetsInput, o ...func(*aws53.Options)) (*aws53.ListResourceRecordSetsOutput, error) {
	i.between()
	return i.fake53.ListResourceRecordSets(ctx, in, o...)
}

// TestWhateverTheInterleavingOthersValuesSurvive: two processes publish and remove in one zone, somebody else edits it by hand, answers
// are lost. In the end what is foreign is there, and nothing of ours.
func TestWhateverTheInterleavingOthersValuesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newStepped()
		f := newFake53(t, c.Now)
		f.page = rapid.IntRange(1, 3).Draw(t, "page")
		z := f.zone("Z1", "example.com.").with(challenge1, 300, `"foreign"`)
		foreign := map[string][]string{challenge1: {`"foreign"`}}
		lies := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 40).Draw(t, "lies")
		f.hook = func(op string, _ int) (v verdict) {
			if op == "ChangeResourceRecordSets" && len(lies) > 0 {
				v, lies = [...]verdict{{}, {}, {}, {errors.New("lost"), true}, {errors.New("lost"), false}, {apiError(op, "Throttling", "", smithy.FaultClient), false}}[lies[0]], lies[1:]
			}
			return v
		}
		edits := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 30).Draw(t, "edits by hand")
		other := solversOf(f, c.Sleep)
		theirs := []renew.Record{record("Z1", "example.com", "theirs"), record("Z1", "b.example.com", "theirs")}
		busy := false
		between := func() {
			if busy || len(edits) == 0 {
				return
			}
			busy = true
			defer func() { busy = false }()
			e := edits[0]
			edits = edits[1:]
			switch e {
			case 1:
				name := []string{challenge1, "_acme-challenge.b.example.com."}[len(edits)%2]
				foreign[name] = append(foreign[name], fmt.Sprintf(`"by hand %d"`, len(edits)))
				z.with(name, 300, append(z.values(name), fmt.Sprintf(`"by hand %d"`, len(edits)))...)
			case 2:
				_ = other.route53.publish(context.Background(), theirs)
			case 3:
				_ = other.route53.remove(context.Background(), theirs)
			}
		}
		ours := New(Options{Route53: func(Role) Route53Client { return interleaved{f, between} }, Now: c.Now, Sleep: c.Sleep, Resolvers: []string{"127.0.0.1:1"}})
		mine := []renew.Record{record("Z1", "example.com", "mine"), record("Z1", "*.example.com", "mine too"), record("Z1", "b.example.com", "mine")}
		if err := ours.route53.publish(context.Background(), mine); err == nil {
			for _, r := range mine {
				if !slices.Contains(z.values(r.FQDN), quoted(r.Value)) {
					t.Errorf("%s isn't at %s", r.Value, r.FQDN)
				}
			}
		}
		settled(t, func() error { return ours.route53.remove(context.Background(), mine) })
		settled(t, func() error { return other.route53.remove(context.Background(), theirs) })
		for name, s := range z.sets {
			for _, v := range valuesOf(&s) {
				if strings.Contains(v, "mine") || strings.Contains(v, "theirs") {
					t.Errorf("%s is still at %s", v, name)
				}
			}
		}
		for name, values := range foreign {
			for _, v := range values {
				if !slices.Contains(z.values(name), v) {
					t.Errorf("%s is lost from %s", v, name)
				}
			}
		}
	})
}

// settled tries until it succeeds, as the next invocations would: losing five races in a row is allowed, losing for ever isn't.
func settled(t *rapid.T, do func() error) {
	var err error
	for range 20 {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestAJobWhoseTimeEndsBeforeItsTurnLeavesNothingInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		z := f.zone("Z1", "example.com.")
		for range 2 {
			_ = s.route53.pacer.turn(t.Context(), looking) // so that the next has to wait
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		failed(t, s.route53.publish(ctx, []renew.Record{record("Z1", "a.example.com", "v")}), renew.Later, reason.Interrupted)
		if err := s.route53.publish(t.Context(), []renew.Record{record("Z1", "b.example.com", "v")}); err != nil {
			t.Fatal(err)
		}
		if len(z.sets) != 1 || len(s.route53.pacer.line) != 0 {
			t.Errorf("there is %v", z.sets)
		}
	})
}

func TestWhatComesToWaitGoesWithTheChangeThatIsSentNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		f.zone("Z1", "example.com.")
		for range 2 {
			_ = s.route53.pacer.turn(t.Context(), looking)
		}
		errs := together(t, 4, func(i int) error {
			time.Sleep(time.Duration(i) * 100 * time.Millisecond) // the turn comes after 500
			return s.route53.publish(t.Context(), []renew.Record{record("Z1", fmt.Sprintf("n%d.example.com", i), "v")})
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if f.counts["ChangeResourceRecordSets"] != 1 {
			t.Errorf("requests: %v", f.counts)
		}
	})
}
