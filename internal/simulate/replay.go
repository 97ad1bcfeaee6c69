package simulate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// Replayed is what a CA answers to a run's events.
type Replayed struct {
	Orders, Denied, Issued int
	Miscounted             int // orders that aren't, to the CA, of the kind that the event says
}

// Replay puts the events of a run before a CA that knows nothing but the scenario, the fleet as it was at the start, and what the events
// say. It is how a run's verdicts can be checked without trusting the run.
func Replay(r io.Reader, s Scenario, fleet []Member, registered func([]string) []string) (Replayed, error) {
	ca := NewAuthority(s)
	for _, m := range fleet {
		if m.InUse() {
			ca.Remember(m.Domains, m.NotBefore)
		}
	}
	var all Replayed
	var last time.Time
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for n := 1; lines.Scan(); n++ {
		var e Event
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return all, fmt.Errorf("events: line %d: %w", n, err)
		}
		if e.T.Before(last) {
			return all, fmt.Errorf("events: line %d: %s lies before the line above, %s; events are in the order of time", n, stamp(e.T), stamp(last))
		}
		last = e.T
		if err := all.replay(ca, e, registered); err != nil {
			return all, fmt.Errorf("events: line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return all, fmt.Errorf("reading the events: %w", err)
	}
	return all, nil
}

func (all *Replayed) replay(ca *Authority, e Event, registered func([]string) []string) error {
	request := Request{Account: e.Account, Names: e.Names, Domains: registered(e.Names)}
	if (e.Renewal == budget.ARI) != (e.ReplacesNotBefore != nil && e.ReplacesNotAfter != nil) {
		return fmt.Errorf("renewal: %q and the dates of what is replaced don't go together; ari has both dates, nothing else has any", e.Renewal)
	}
	if e.ReplacesNotBefore != nil {
		request.Replaces = &Predecessor{NotBefore: *e.ReplacesNotBefore, NotAfter: *e.ReplacesNotAfter}
	}
	switch e.Event {
	case eventAccount:
		if ca.NewAccount(e.IP, e.T) != nil {
			all.Denied++
		}
	case eventOrder:
		all.Orders++
		kind, denied := ca.NewOrder(request, e.T)
		if denied != nil {
			all.Denied++
		}
		if kind != e.Renewal {
			all.Miscounted++
		}
	case eventAuthFailed:
		for _, n := range e.Names {
			ca.Fail(e.Account, n, e.T)
		}
	case eventAuthOK:
		for _, n := range e.Names {
			ca.Pass(e.Account, n)
		}
	case eventIssued:
		all.Issued++
		ca.Issue(request, e.T)
	default:
		return fmt.Errorf("event: %.40q is unknown; use account, order, auth_failed, auth_ok or issued", e.Event)
	}
	return nil
}
