package budget

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNothingMovesAPausedBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, other := drawLimit().Draw(t, "limit"), drawLimit().Draw(t, "other")
		now := epoch.Add(time.Duration(rapid.Int64Range(0, int64(100*365*day)).Draw(t, "now")))
		by := now.Add(time.Duration(rapid.Int64Range(0, int64(MaxIssuance)).Draw(t, "by")))
		spent, d := Spend(l, Paused(), now, by)
		redated, _ := Redate(l, Paused(), now, by)
		k := Key{testCA, ConsecutiveFailures, "0 a.test"}
		if w := Refund([]Write{{k, Bucket{}, Bucket{TAT: by}}}, map[Key]Bucket{k: Paused()}, nil); len(w) > 0 {
			t.Errorf("refunding: %+v", w)
		}
		for doing, b := range map[string]Bucket{
			"spending": spent, "draining": Drained(l, Paused(), by, by), "late": Late(l, Paused(), time.Hour), "redating": redated,
			"rescaling": Rescale(l, other, Paused(), now),
		} {
			if !b.IsPaused() {
				t.Errorf("%s: TAT %s", doing, b.TAT)
			}
		}
		if d.Allowed || !d.Paused || d.Remaining != 0 || !d.RetryAt.Equal(now.Add(day)) {
			t.Errorf("%+v; want a pause, to be looked at again in a day", d)
		}
		if at := FitsAt(l, Paused(), now, 3); at.Before(now.Add(50 * 365 * day)) {
			t.Errorf("three fit at %s", at)
		}
	})
}

func TestOnlyThePauseIsPaused(t *testing.T) {
	for _, b := range []Bucket{{}, lacking(ConsecutiveFailures, 2000), {TAT: Paused().TAT.Add(-1)}, {TAT: Paused().TAT.Add(1)}} {
		if b.IsPaused() {
			t.Errorf("%s is a pause", b.TAT)
		}
	}
	if !BucketAt(Paused().TATNanos()).IsPaused() {
		t.Error("a pause doesn't survive being stored")
	}
}

func TestAPauseDeniesEveryOrderOfItsName(t *testing.T) {
	org := Key{testCA, ConsecutiveFailures, FailureSubject(testAccount, "b.example.org")}
	have := map[Key]Bucket{org: Paused(), {testCA, CertificatesPerExactSet, SetHash(twoNames(None, false).Names)}: lacking(CertificatesPerExactSet, 99)}
	for _, set := range SetNames() {
		l, _ := Set(set)
		for _, kind := range []Renewal{None, SameSet, ARI} {
			v := Decide(Needs(l, twoNames(kind, false)), have, epoch, issuedBy, orderBy)
			if v.Allowed || !v.Decision.Paused || v.Denied.Key != org || v.Writes != nil {
				t.Errorf("%s, %s: %+v; want a denial by the pause, whatever else denies longer", set, kind, v)
			}
			if text := v.Denied.Refused(v.Decision); !strings.Contains(text, "b.example.org") || !strings.Contains(text, "budgets resume") {
				t.Errorf("%q doesn't say whom and what to do", text)
			}
		}
	}
	delete(have, org)
	if v := Decide(Needs(Limits{}, twoNames(None, false)), have, epoch, issuedBy, orderBy); !v.Allowed || v.Decision.Paused {
		t.Errorf("without the pause: %+v", v)
	}
}

func TestFailuresThatAreNotLimitedNeverDeny(t *testing.T) {
	k := Key{testCA, ConsecutiveFailures, FailureSubject(testAccount, "b.example.org")}
	for _, tat := range []time.Time{epoch, epoch.Add(day), epoch.Add(99 * 365 * day)} {
		v := Decide(Needs(Limits{}, twoNames(None, false)), map[Key]Bucket{k: {TAT: tat}}, epoch, issuedBy, orderBy)
		if !v.Allowed {
			t.Errorf("a bucket that another set left, full at %s: %+v", tat, v)
		}
	}
	if err := pauseOnly.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAResumedNameMayFailOnceMore(t *testing.T) {
	for _, l := range []Limit{LetsEncrypt()[ConsecutiveFailures], LetsEncryptStaging()[ConsecutiveFailures]} {
		b := Resumed(l, epoch)
		if d := Check(l, b, epoch); !d.Allowed || d.Remaining != 1 {
			t.Errorf("of %d: %+v", l.Burst, d)
		}
		if d := Check(l, Drained(l, b, epoch, epoch), epoch.Add(l.Emission()-1)); d.Allowed {
			t.Errorf("of %d: a second failure is risked before one is worked off", l.Burst)
		}
	}
	if b := Resumed(pauseOnly, epoch); b != (Bucket{}) {
		t.Errorf("of a CA that doesn't limit failures: %s", b.TAT)
	}
}
