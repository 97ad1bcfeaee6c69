package entry_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func claimBy(owner, certificate string, now time.Time) renew.Claim {
	return renew.Claim{
		Key: "k", Owner: owner, Certificate: inventory.Certificate{Name: certificate, Shard: "0", Rev: 1}, Now: now, Until: now.Add(time.Hour),
	}
}

func open(owner, certificate string, fence int64) entry.Slot {
	return entry.Slot{Fence: fence, Open: &renew.Issuance{
		Key: "k", ID: "id", Owner: owner, Certificate: certificate, Fence: fence, Rev: 3, Until: noon, Hold: noon.Add(time.Hour), Attempt: 2,
		Records: []renew.Record{{FQDN: "r."}},
	}}
}

func TestClaim(t *testing.T) {
	for name, tc := range map[string]struct {
		slot  entry.Slot
		claim renew.Claim
		fence int64     // of what comes out; 0: it is held
		until time.Time // where it is held
		fresh bool      // nothing but the records is left of the old one
	}{
		"an entry that isn't there begins at the clock": {entry.Slot{}, claimBy("me", "a", noon), noon.UnixMilli(), noon, true},
		"a closed entry goes on with its fence":         {entry.Slot{Fence: 7}, claimBy("me", "a", noon), 8, noon, true},
		"its owner keeps the fence before the end":      {open("me", "a", 7), claimBy("me", "a", noon.Add(-time.Minute)), 7, noon, false},
		"its owner keeps the fence after the end":       {open("me", "a", 7), claimBy("me", "a", noon.Add(time.Minute)), 7, noon, false},
		"another owner waits for the end":               {open("me", "a", 7), claimBy("you", "a", noon.Add(-1)), 0, noon, false},
		"another owner takes over at the end":           {open("me", "a", 7), claimBy("you", "a", noon), 8, noon, false},
		"another certificate waits for the hold":        {open("me", "a", 7), claimBy("me", "b", noon.Add(time.Hour-1)), 0, noon.Add(time.Hour), false},
		"another certificate begins anew after it":      {open("me", "a", 7), claimBy("me", "b", noon.Add(time.Hour)), 8, noon, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.slot.Claim(tc.claim)
			var held *renew.Held
			if tc.fence == 0 {
				if !errors.As(err, &held) || held.Certificate != "a" || !held.Until.Equal(tc.until) {
					t.Fatalf("got %v, want it held by a until %v", err, tc.until)
				}
				return
			}
			if err != nil || got.Fence != tc.fence || got.Owner != tc.claim.Owner || !got.Until.Equal(tc.claim.Until) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if fresh := got.Attempt == 0 && got.Rev == 1 && got.ID != "id"; fresh != tc.fresh {
				t.Errorf("fresh is %v: %+v", fresh, got)
			}
			if tc.slot.Open != nil && len(got.Records) != 1 {
				t.Errorf("the records are gone: %+v", got)
			}
			if orphaned := slices.Equal(got.Orphans, []renew.Orphan{{Certificate: "a", ID: "id"}}); tc.slot.Open != nil && orphaned != tc.fresh {
				t.Errorf("orphaned are %+v", got.Orphans)
			}
		})
	}
}

func TestEachIssuanceHasItsOwnID(t *testing.T) {
	seen := map[string]bool{}
	for _, fence := range []int64{1, 2, 3} {
		for _, name := range []string{"a", "b"} {
			for _, key := range []string{"k", "l"} {
				c := claimBy("me", name, noon)
				c.Key = key
				i, err := entry.Slot{Fence: fence}.Claim(c)
				if err != nil {
					t.Fatal(err)
				}
				seen[i.ID] = true
			}
		}
	}
	if len(seen) != 12 {
		t.Errorf("12 issuances have %d ids", len(seen))
	}
}

func TestClaimingDoesNotTouchTheSlot(t *testing.T) {
	s := open("me", "a", 7)
	got, err := s.Claim(claimBy("you", "a", noon))
	if err != nil {
		t.Fatal(err)
	}
	got.Records[0].FQDN = "spoiled."
	if s.Open.Owner != "me" || s.Open.Fence != 7 || s.Open.Records[0].FQDN != "r." {
		t.Errorf("the slot is now %+v", s.Open)
	}
}
