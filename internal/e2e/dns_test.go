package e2e

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/emulator"
)

// dnsWatch follows every change of a zone from the request until Route 53 says that it is everywhere, and every challenge that the CA is
// told to look at.
type dnsWatch struct {
	mu      sync.Mutex
	aliases map[string]string   // where a challenge name that is an alias leads
	at      map[string][]string // ids of the changes that create values at a name
	created map[string]int      // values that a change creates
	synced  map[string]bool     // changes that were said to be INSYNC
	early   []string            // names that the CA was told to look at while a change was PENDING
	asked   int                 // challenges that the CA was told to look at
}

type changeRequest struct {
	Changes []struct {
		Action string   `xml:"Action"`
		Name   string   `xml:"ResourceRecordSet>Name"`
		Values []string `xml:"ResourceRecordSet>ResourceRecords>ResourceRecord>Value"`
	} `xml:"ChangeBatch>Changes>Change"`
}

type changeAnswer struct {
	ID     string `xml:"ChangeInfo>Id"`
	Status string `xml:"ChangeInfo>Status"`
}

func watchDNS(t *testing.T, w *witness.World, aliases map[string]string) *dnsWatch {
	t.Helper()
	d := &dnsWatch{aliases: aliases, at: map[string][]string{}, created: map[string]int{}, synced: map[string]bool{}}
	t.Cleanup(w.AWS.After(d.answered))
	t.Cleanup(w.CA.OnBefore(d.challenged))
	return d
}

func (d *dnsWatch) answered(c emulator.Call, a emulator.Answer) {
	if c.Service != "route53" || a.Status != http.StatusOK {
		return
	}
	var answer changeAnswer
	if xml.Unmarshal(a.Body, &answer) != nil || answer.ID == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if answer.Status == "INSYNC" {
		d.synced[answer.ID] = true
	}
	if c.Action != "ChangeResourceRecordSets" {
		return
	}
	var asked changeRequest
	if err := xml.Unmarshal(c.Body, &asked); err != nil {
		d.early = append(d.early, fmt.Sprintf("a change that can't be read: %v", err))
	}
	for _, change := range asked.Changes {
		if change.Action == "CREATE" {
			name := strings.TrimSuffix(change.Name, ".")
			d.created[answer.ID] += len(change.Values)
			d.at[name] = append(d.at[name], answer.ID)
		}
	}
}

// challenged sees the CA being told to look at a name. What was created there must be everywhere by then, and the worker been told so.
func (d *dnsWatch) challenged(r ca.Request) ca.Verdict {
	if r.Kind != ca.KindChallenge || r.Method != http.MethodPost {
		return ca.Pass()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	name := "_acme-challenge." + strings.TrimPrefix(r.Name, "*.")
	if target := d.aliases[name]; target != "" {
		name = target
	}
	if ids := d.at[name]; len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return !d.synced[id] }) {
		d.early = append(d.early, r.Name)
	}
	return ca.Pass()
}

// largest is the most values that one change created.
func (d *dnsWatch) largest() (most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.created {
		most = max(most, n)
	}
	return most
}

// check holds that the CA was never told to look before Route 53 had said that the values are everywhere.
func (d *dnsWatch) check(t *testing.T, names int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.early) > 0 {
		t.Errorf("the CA was told to look before the change was known to be INSYNC: %s", strings.Join(d.early, ", "))
	}
	if d.asked < names {
		t.Errorf("only %d challenges were seen for %d names", d.asked, names)
	}
}
