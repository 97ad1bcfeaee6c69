package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

type statusCmd struct {
	Names    []string `arg:"" optional:"" name:"certificate" help:"Only these certificates."`
	Messages bool     `help:"Show the messages that were refused lately instead."`
}

// certificateStatus is a certificate's entry in the JSON that status prints; it is stable.
type certificateStatus struct {
	Certificate string        `json:"certificate"`
	Shard       string        `json:"shard"`
	Domains     []string      `json:"domains"`
	Enabled     bool          `json:"enabled"`
	Reason      reason.Reason `json:"reason"`
	Message     string        `json:"message"`
	Limit       string        `json:"limit,omitempty"`
	LimitKey    string        `json:"limit_key,omitempty"`
	Failures    int           `json:"failures"`
	NextAttempt *time.Time    `json:"next_attempt"`
	InProgress  bool          `json:"in_progress"`
	Serial      string        `json:"serial"`
	NotAfter    *time.Time    `json:"not_after"`
	RenewAt     *time.Time    `json:"renew_at"`
	KeyType     string        `json:"key_type"`
	Directory   string        `json:"acme_directory"`     // of the CA that issued what is in use
	Fallback    string        `json:"fallback,omitempty"` // why the next order, or the open issuance, is the second CA's
	Unpause     string        `json:"unpause,omitempty"`  // only where the certificate was asked for by name: its link is a bearer token
	SecretARN   string        `json:"secret_arn"`
	VersionID   string        `json:"version_id"`
	Followups   []followup    `json:"followups,omitempty"`
	Endangered  bool          `json:"endangered,omitempty"` // what is in use may end before its successor is there
	Remedy      string        `json:"remedy,omitempty"`     // what somebody can do about that
}

// followup is what is owed beside an order.
type followup struct {
	Kind        inventory.FollowupKind     `json:"kind"`
	Serial      string                     `json:"serial,omitempty"`
	Revocation  inventory.RevocationReason `json:"revocation_reason,omitempty"`
	ARN         string                     `json:"arn,omitempty"`
	Failures    int                        `json:"failures"`
	Reason      reason.Reason              `json:"reason,omitempty"`
	Message     string                     `json:"message,omitempty"`
	NextAttempt *time.Time                 `json:"next_attempt"` // null while the certificate is still to be replaced
}

func followupsOf(c inventory.Certificate) (all []followup) {
	for _, f := range c.Followups {
		x := followup{Kind: f.Kind, ARN: f.ARN, Failures: f.Failures, Reason: f.Reason, Message: f.Message}
		if f.Revoke != nil {
			x.Serial, x.Revocation = f.Revoke.Serial, f.Revoke.Reason
		}
		if c.Ready(f) {
			x.NextAttempt = optional(f.Next)
		}
		all = append(all, x)
	}
	return all
}

// words are what a table says of a follow-up.
func (f followup) words() string {
	say := strings.TrimSpace(string(f.Kind) + " " + f.ARN)
	if f.Serial != "" {
		say = "revoke " + f.Serial + " (" + string(f.Revocation) + ")"
	}
	switch {
	case f.NextAttempt == nil:
		return say + ", once it is replaced"
	case f.Failures > 0:
		return fmt.Sprintf("%s, failed %d times (%s: %s), again at %s", say, f.Failures, f.Reason, f.Message, moment(*f.NextAttempt))
	}
	return say + ", next"
}

// outlook is what is said of a certificate, and what is owed beside it.
func outlook(c inventory.Certificate, at inventory.Standing) string {
	say := at.Message
	for _, f := range followupsOf(c) {
		say = strings.TrimPrefix(say+"; owed: "+f.words(), "; ")
	}
	return say
}

func statusOf(c inventory.Certificate, now time.Time) certificateStatus {
	at := c.Standing(now)
	s := certificateStatus{
		Certificate: c.Name, Shard: c.Shard, Domains: c.Wanted.Domains, Enabled: c.Wanted.Enabled, Reason: at.State, Message: at.Message,
		Limit: c.Status.Limit, LimitKey: c.Status.LimitKey, Failures: c.Status.Failures, NextAttempt: optional(at.Next),
		InProgress: c.Status.Issuance != "", KeyType: string(c.Wanted.KeyType), Followups: followupsOf(c),
		Fallback: c.Status.Fallback,
	}
	if u := c.InUse; u != nil {
		s.Serial, s.NotAfter, s.RenewAt, s.SecretARN, s.VersionID = u.Serial, optional(u.NotAfter), optional(c.RenewAt()), u.SecretARN, u.VersionID
		s.Directory = u.Directory
	}
	if s.Endangered = c.Endangered(now); s.Endangered {
		s.Remedy = plan.Remedy(&c)
	}
	return s
}

// Run shows the fleet.
func (s *statusCmd) Run(r *run) error {
	op, err := r.open("TABLE")
	if err != nil {
		return err
	}
	if s.Messages {
		return showMessages(r, op.Store)
	}
	cs, err := s.read(r, op.Store)
	if err != nil {
		return err
	}
	var links map[string]string
	if len(s.Names) > 0 {
		if links, err = unpauseLinks(r, op.Store, cs); err != nil {
			return err
		}
	}
	all, rows := make([]certificateStatus, 0, len(cs)), make([]table.Row, 0, len(cs))
	for _, c := range cs {
		x := statusOf(c, r.now())
		x.Unpause = links[c.Name]
		all = append(all, x)
		rows = append(rows, statusRow(c, r.now()))
	}
	if err := r.print(all, table.Row{"certificate", "names", "state", "valid for", "next", "message"}, rows); err != nil {
		return err
	}
	for _, x := range all {
		if x.Unpause != "" {
			r.say("%s: the CA says: %s", x.Certificate, x.Unpause)
		}
	}
	r.say("%d certificates, %d in use", len(cs), countInUse(cs))
	sayEnds(r, cs)
	return nil
}

// unpauseLinks is what the CA said, with its link, of the certificates that wait for the end of a
// pause. One that only found the mark of another's refusal has that one's.
func unpauseLinks(r *run, fleet fleetLister, cs []inventory.Certificate) (map[string]string, error) {
	links := map[string]string{}
	var without []inventory.Certificate
	for _, c := range cs {
		switch {
		case c.Status.Unpause != "":
			links[c.Name] = c.Status.Unpause
		case c.Status.Reason == reason.AccountPaused:
			without = append(without, c)
		}
	}
	if len(without) == 0 {
		return links, nil
	}
	for other, err := range readable(r, fleet) {
		if err != nil {
			return nil, err
		}
		for _, c := range without {
			if other.Status.Unpause != "" && other.Shard == c.Shard && pausedTogether(c, other) {
				links[c.Name] = other.Status.Unpause
			}
		}
	}
	return links, nil
}

// pausedTogether says whether the CA may have paused other's names for what c waits for.
func pausedTogether(c, other inventory.Certificate) bool {
	_, name, _ := strings.Cut(c.Status.LimitKey, " ")
	shared := func(n string) bool { return slices.Contains(other.Wanted.Domains, n) && (name == "" || n == name) }
	atOne := func(d string) bool { return slices.Contains(other.Wanted.Directories(), d) }
	return slices.ContainsFunc(c.Wanted.Domains, shared) && slices.ContainsFunc(c.Wanted.Directories(), atOne)
}

func statusRow(c inventory.Certificate, now time.Time) table.Row {
	at, valid := c.Standing(now), "-"
	if c.InUse != nil {
		valid = span(at.End.Sub(now))
		if !at.End.After(now) {
			valid = "ended " + valid
		}
	}
	return table.Row{c.Name, brief(c.Wanted.Domains), at.Word(), valid, moment(at.Next), outlook(c, at)}
}

// sayEnds says which certificates may end before their successors are there, and apart from them
// which are disabled and still in use.
func sayEnds(r *run, cs []inventory.Certificate) {
	now, off := r.now(), 0
	for i := range cs {
		c := &cs[i]
		switch {
		case c.Endangered(now):
			r.say("in danger: %s ends at %s: %s", c.Name, moment(c.InUse.NotAfter), plan.Remedy(c))
		case c.SwitchedOff(now):
			off++
		}
	}
	if off == 0 {
		return
	}
	r.say("%d are disabled and in use until they end:", off)
	for i := range cs {
		if c := &cs[i]; c.SwitchedOff(now) {
			r.say("  %s, at %s", c.Name, moment(c.InUse.NotAfter))
		}
	}
}

func countInUse(cs []inventory.Certificate) int {
	n := 0
	for _, c := range cs {
		if c.InUse != nil {
			n++
		}
	}
	return n
}

func (s *statusCmd) read(r *run, fleet fleetStore) ([]inventory.Certificate, error) {
	all := map[string]inventory.Certificate{}
	if len(s.Names) > 0 {
		var faults []error
		for _, n := range s.Names {
			c, err := fleet.Certificate(r, n)
			if broken, is := illegible(err); is {
				c, err = broken, nil
			}
			switch {
			case errors.Is(err, renew.ErrUnknown):
				faults = append(faults, unknown(n))
			case err != nil:
				faults = append(faults, fmt.Errorf("reading %s: %w", n, err))
			}
			all[n] = c
		}
		return sortedByName(all), errors.Join(faults...)
	}
	for c, err := range readable(r, fleet) {
		if err != nil {
			return nil, err
		}
		all[c.Name] = c
	}
	return slices.Clip(sortedByName(all)), nil
}
