package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/certpace/certpace/internal/fleetfile"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

type applyCmd struct {
	File   string `short:"f" required:"" placeholder:"FILE" help:"Fleet file, YAML or JSON; - for standard input."`
	Prune  bool   `help:"Disable the certificates that the file doesn't name. Nothing is deleted."`
	DryRun bool   `help:"Show what would change. Writes nothing."`
	confirmation
}

// applied is one certificate's entry in the JSON that apply prints; it is stable.
type applied struct {
	Certificate string                 `json:"certificate"`
	Change      inventory.Change       `json:"change"`
	Domains     []string               `json:"domains"`
	Fields      []inventory.Difference `json:"fields,omitempty"` // what is wanted otherwise; not of what is new
	Reissued    bool                   `json:"reissued"`         // what is in use is no longer what is wanted, and is ordered anew
	DryRun      bool                   `json:"dry_run"`          // nothing was written
	next        inventory.Certificate
}

// changes is what a fleet file makes of the fleet.
type changes struct {
	all  []applied
	kept int // how many certificates were kept alive before; counted where the whole fleet was read
}

// Run takes the fleet file over: all of it, or, where it has a fault, nothing.
func (a *applyCmd) Run(r *run) error {
	data, err := a.read(r)
	if err != nil {
		return err
	}
	op, err := r.open("TABLE")
	if err != nil {
		return err
	}
	entries, faults := fleetfile.Parse(data, fleetfile.Defaults{Directory: op.Directory})
	if len(faults) > 0 {
		return faults
	}
	return a.apply(r, op.Store, entries)
}

// read reads one byte more than a fleet file may have, so that what is too much is said by who
// knows what to do.
func (a *applyCmd) read(r *run) ([]byte, error) {
	in := r.Stdin
	if a.File != "-" {
		f, err := os.Open(a.File)
		if err != nil {
			return nil, usage{fmt.Errorf("reading the fleet file: %w", err)}
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, fleetfile.MaxBytes+1))
	if err != nil {
		return nil, usage{fmt.Errorf("reading the fleet file: %w", err)}
	}
	return data, nil
}

func (a *applyCmd) apply(r *run, fleet fleetStore, entries []fleetfile.Entry) error {
	found, err := a.compare(r, fleet, entries)
	if err != nil {
		return err
	}
	far := a.farReaching(found)
	if a.DryRun {
		return a.show(r, found.all, far)
	}
	if far != "" {
		if found, err = a.asked(r, fleet, entries, found, far); err != nil {
			return err
		}
	}
	if err := save(r, fleet, found.all); err != nil {
		return err
	}
	return a.show(r, found.all, "")
}

// asked asks, and looks again once it was answered: a worker may have moved on meanwhile, and a
// fleet that changed is not what the answer was about.
func (a *applyCmd) asked(r *run, fleet fleetStore, entries []fleetfile.Entry, found changes, far string) (changes, error) {
	if err := r.confirm(a.confirmation, "applying "+a.File+" "+far); err != nil {
		return found, err
	}
	if a.Yes {
		return found, nil
	}
	now, err := a.compare(r, fleet, entries)
	if err == nil && !slices.EqualFunc(found.all, now.all, applied.same) {
		err = fmt.Errorf("the fleet changed while you were asked, so %w; apply the file again", errRefused)
	}
	return now, err
}

// same says whether two comparisons found the same to do for a certificate, whatever else happened
// to it.
func (x applied) same(y applied) bool {
	return x.Certificate == y.Certificate && x.Change == y.Change && x.Reissued == y.Reissued && reflect.DeepEqual(x.Fields, y.Fields)
}

// farReaching says in words what of the changes a slip of the pen may have caused; empty where
// nothing is.
func (a *applyCmd) farReaching(found changes) string {
	moved, off, anew := 0, 0, 0
	for _, x := range found.all {
		if x.Change == inventory.SwitchedOff {
			off++
			continue
		}
		if x.moved() {
			moved++
		}
		if x.Reissued {
			anew++
		}
	}
	var all []string
	if moved > many {
		all = append(all, fmt.Sprintf("moves %d certificates to another CA", moved))
	}
	if anew > many {
		all = append(all, fmt.Sprintf("has %d certificates issued anew", anew))
	}
	if off > many || a.Prune && off*pruneShare > found.kept {
		all = append(all, fmt.Sprintf("switches %d certificates off, which then end", off))
	}
	return strings.Join(all, ", and ")
}

// moved says whether a certificate is ordered from another CA from now on.
func (x applied) moved() bool {
	return slices.ContainsFunc(x.Fields, func(d inventory.Difference) bool { return d.Field == "acme_directory" })
}

// compare works out every certificate's change. It writes nothing.
func (a *applyCmd) compare(r *run, fleet fleetStore, entries []fleetfile.Entry) (found changes, err error) {
	known, err := a.known(r, fleet, entries)
	if err != nil {
		return found, err
	}
	for _, c := range known {
		if c.Wanted.Enabled {
			found.kept++
		}
	}
	for _, e := range entries {
		before, ok := known[e.Name]
		if !ok {
			before = inventory.Certificate{Name: e.Name}
		}
		delete(known, e.Name)
		c, change := inventory.Apply(before, e.Wanted, r.now())
		found.all = append(found.all, a.change(before, c, change))
	}
	if a.Prune {
		for _, before := range sortedByName(known) {
			if c, change := inventory.Disable(before, r.now()); change != inventory.Unchanged {
				found.all = append(found.all, a.change(before, c, change))
			}
		}
	}
	return found, nil
}

func (a *applyCmd) change(before, c inventory.Certificate, change inventory.Change) applied {
	x := applied{Certificate: c.Name, Change: change, Domains: c.Wanted.Domains, DryRun: a.DryRun, next: c}
	if change != inventory.Added {
		x.Fields = c.Wanted.Differences(before.Wanted)
		x.Reissued = c.Wanted.Enabled && c.Changed() && !before.Changed()
	}
	return x
}

// fewEntries is how many certificates are looked up one by one before reading the whole fleet is cheaper.
const fewEntries = 200

func (a *applyCmd) known(r *run, fleet fleetStore, entries []fleetfile.Entry) (map[string]inventory.Certificate, error) {
	known := make(map[string]inventory.Certificate, len(entries))
	if a.Prune || len(entries) > fewEntries {
		for c, err := range readable(r, fleet) {
			if err != nil {
				return nil, err
			}
			if c.Rev == 0 { // it can't be written, nor switched off
				if named(entries, c.Name) {
					return nil, fmt.Errorf("reading %s: %s", c.Name, c.Status.Message)
				}
				continue
			}
			known[c.Name] = c
		}
		return known, nil
	}
	for _, e := range entries {
		c, err := fleet.Certificate(r, e.Name)
		switch {
		case errors.Is(err, renew.ErrUnknown):
		case err != nil:
			return nil, fmt.Errorf("reading %s: %w", e.Name, err)
		default:
			known[e.Name] = c
		}
	}
	return known, nil
}

func named(entries []fleetfile.Entry, name string) bool {
	return slices.ContainsFunc(entries, func(e fleetfile.Entry) bool { return e.Name == name })
}

func save(r *run, fleet fleetStore, result []applied) error {
	var cs []inventory.Certificate
	for _, a := range result {
		if a.Change != inventory.Unchanged {
			cs = append(cs, a.next)
		}
	}
	conflicts, err := fleet.SaveCertificates(r, cs)
	if err != nil {
		return fmt.Errorf("writing the fleet: %w", err)
	}
	if len(conflicts) > 0 {
		return fmt.Errorf("writing the fleet: %d certificates changed meanwhile and were left as they are (%v); apply the file again", len(conflicts), conflicts)
	}
	return nil
}
