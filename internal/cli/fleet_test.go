package cli

import (
	"context"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/fleetfile"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/reason"
)

// halfRead is a fleet of which one entry can't be understood.
func halfRead(t *testing.T) *memory.Store {
	t.Helper()
	table := memory.New("0")
	for _, name := range []string{"bad", "good"} {
		c := inventory.Certificate{Name: name, Wanted: inventory.Wanted{Domains: []string{name + ".example"}, Enabled: true}}
		if _, err := table.SaveCertificate(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	table.DamageCertificate("bad")
	return table
}

func TestAnEntryThatCannotBeUnderstoodIsShownBesideTheOthers(t *testing.T) {
	r := &run{Context: context.Background()}
	for _, names := range [][]string{nil, {"bad", "good"}} {
		cs, err := (&statusCmd{Names: names}).read(r, halfRead(t))
		if err != nil || len(cs) != 2 || cs[0].Name != "bad" || cs[0].Status.Reason != reason.Invalid || cs[0].Status.Message == "" || cs[1].Rev == 0 {
			t.Fatalf("%v: %+v, %v", names, cs, err)
		}
		if s := statusOf(cs[0], time.Now()); s.Reason != reason.Invalid || s.Message == "" {
			t.Errorf("%+v", s)
		}
	}
}

func TestAnEntryThatCannotBeUnderstoodIsRefusedOnlyToWhomNamesIt(t *testing.T) {
	r := &run{Context: context.Background()}
	a := &applyCmd{Prune: true}
	known, err := a.known(r, halfRead(t), []fleetfile.Entry{{Name: "good"}})
	if _, there := known["bad"]; err != nil || there || len(known) != 1 {
		t.Errorf("%v, %v", known, err)
	}
	if _, err := a.known(r, halfRead(t), []fleetfile.Entry{{Name: "bad"}}); err == nil {
		t.Error("it would be taken for one that isn't there")
	}
}
