package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/inventory"
)

type reportCmd struct {
	Weeks int `default:"13" placeholder:"N" help:"How many weeks to look ahead."`
}

// fleetReport is the JSON that report prints; it is stable. Times are UTC.
type fleetReport struct {
	At           time.Time      `json:"at"`
	Certificates int            `json:"certificates"` // enabled; what is switched off is only in Disabled
	Names        int            `json:"names"`        // of these
	Disabled     int            `json:"disabled"`
	InUse        int            `json:"in_use"`
	Ended        int            `json:"ended"`   // in use, past its end
	Failing      int            `json:"failing"` // the last attempt failed
	SecondCA     int            `json:"at_second_ca"`
	First        *ending        `json:"ends_first"` // of what is in use and hasn't ended; null for none
	States       map[string]int `json:"by_state"`
	CAs          map[string]int `json:"by_acme_directory"` // of what is in use, by the CA that issued it
	Keys         map[string]int `json:"by_key_type"`
	Weeks        []reportWeek   `json:"weeks"`
}

type ending struct {
	Certificate string    `json:"certificate"`
	NotAfter    time.Time `json:"not_after"`
}

// reportWeek is what a week of seven days brings, the first from now on.
type reportWeek struct {
	From     time.Time `json:"from"`
	Renewals int       `json:"renewals"` // and first certificates, by the moments that stand in the table; the first week has what is overdue
	Ends     int       `json:"ends"`     // of what is in use now: these are lost if nothing is renewed until then
}

const week = 7 * 24 * time.Hour

// mostWeeks is as far as a certificate's life can reach, give or take.
const mostWeeks = 60

// Run puts the fleet on a page.
func (p *reportCmd) Run(r *run) error {
	if p.Weeks < 1 || p.Weeks > mostWeeks {
		return usage{fmt.Errorf("--weeks: %d is not between 1 and %d", p.Weeks, mostWeeks)}
	}
	op, err := r.open("TABLE")
	if err != nil {
		return err
	}
	f := newReport(r.now(), p.Weeks)
	for c, err := range readable(r, op.Store) {
		if err != nil {
			return err
		}
		f.add(c)
	}
	rows := make([]table.Row, 0, len(f.Weeks))
	for _, w := range f.Weeks {
		rows = append(rows, table.Row{w.From.Format(time.DateOnly), w.Renewals, w.Ends})
	}
	if !r.json() {
		f.head(r)
	}
	return r.print(f, table.Row{"week from", "renewals", "ends if none were made"}, rows)
}

func newReport(now time.Time, weeks int) *fleetReport {
	f := &fleetReport{At: now.UTC().Truncate(time.Second), States: map[string]int{}, CAs: map[string]int{}, Keys: map[string]int{}}
	for i := range weeks {
		f.Weeks = append(f.Weeks, reportWeek{From: f.At.Add(time.Duration(i) * week)})
	}
	return f
}

func (f *fleetReport) add(c inventory.Certificate) {
	if !c.Wanted.Enabled {
		f.Disabled++
		return
	}
	f.Certificates++
	f.Names += len(c.Wanted.Domains)
	at := c.Standing(f.At)
	f.States[at.Word()]++
	f.Keys[string(c.Wanted.KeyType)]++
	if c.Status.Failures > 0 {
		f.Failing++
	}
	if w := f.week(at.Next); w != nil {
		w.Renewals++
	}
	u := c.InUse
	if u == nil {
		return
	}
	f.InUse++
	f.CAs[u.Directory]++
	if c.Wanted.IsSecond(u.Directory) {
		f.SecondCA++
	}
	if !u.NotAfter.After(f.At) {
		f.Ended++
		return
	}
	if f.First == nil || u.NotAfter.Before(f.First.NotAfter) || u.NotAfter.Equal(f.First.NotAfter) && c.Name < f.First.Certificate {
		f.First = &ending{c.Name, u.NotAfter.UTC()}
	}
	if w := f.week(u.NotAfter); w != nil {
		w.Ends++
	}
}

// week is the one that a moment lies in; the first for what is past, nil beyond the last, and for no moment at all.
func (f *fleetReport) week(at time.Time) *reportWeek {
	i := int(max(at.Sub(f.At), 0) / week)
	if at.IsZero() || i >= len(f.Weeks) {
		return nil
	}
	return &f.Weeks[i]
}

// head is the page above the weeks.
func (f *fleetReport) head(r *run) {
	r.say("%d certificates of %d names at %s: %d in use, %d never issued, %d ended, %d failing, %d switched off besides",
		f.Certificates, f.Names, moment(f.At), f.InUse, f.Certificates-f.InUse, f.Ended, f.Failing, f.Disabled)
	if f.First != nil {
		r.say("the first to end: %s, in %s", f.First.Certificate, span(f.First.NotAfter.Sub(f.At)))
	}
	if f.SecondCA > 0 {
		r.say("from the second CA: %d", f.SecondCA)
	}
	for _, l := range []struct {
		of string
		by map[string]int
	}{{"states", f.States}, {"issued by", f.CAs}, {"keys", f.Keys}} {
		if len(l.by) > 0 {
			r.say("%s: %s", l.of, counts(l.by))
		}
	}
	r.say("")
}

// counts names what there is most of first.
func counts(by map[string]int) string {
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int { return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b)) })
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %d", n, by[n])
	}
	return strings.Join(names, ", ")
}
