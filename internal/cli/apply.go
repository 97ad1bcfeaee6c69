package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/fleetfile"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

type applyCmd struct {
	File   string `short:"f" required:"" placeholder:"FILE" help:"Fleet file, YAML or JSON; - for standard input."`
	Prune  bool   `help:"Disable the certificates that the file doesn't name. Nothing is deleted."`
	DryRun bool   `help:"Show what would change. Writes nothing."`
}

// applied is one certificate's line of the result.
type applied struct {
	Certificate string           `json:"certificate"`
	Change      inventory.Change `json:"change"`
	Domains     []string         `json:"domains"`
	next        inventory.Certificate
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

func (a *applyCmd) read(r *run) ([]byte, error) {
	if a.File == "-" {
		return io.ReadAll(r.Stdin)
	}
	data, err := os.ReadFile(a.File)
	if err != nil {
		return nil, usage{fmt.Errorf("reading the fleet file: %w", err)}
	}
	return data, nil
}

func (a *applyCmd) apply(r *run, fleet fleetStore, entries []fleetfile.Entry) error {
	result, err := a.compare(r, fleet, entries)
	if err != nil {
		return err
	}
	if !a.DryRun {
		if err := save(r, fleet, result); err != nil {
			return err
		}
	}
	return a.show(r, result)
}

// compare works out every certificate's change. It writes nothing.
func (a *applyCmd) compare(r *run, fleet fleetStore, entries []fleetfile.Entry) ([]applied, error) {
	known, err := a.known(r, fleet, entries)
	if err != nil {
		return nil, err
	}
	var result []applied
	add := func(c inventory.Certificate, change inventory.Change) {
		result = append(result, applied{Certificate: c.Name, Change: change, Domains: c.Wanted.Domains, next: c})
	}
	for _, e := range entries {
		c, ok := known[e.Name]
		if !ok {
			c = inventory.Certificate{Name: e.Name}
		}
		delete(known, e.Name)
		add(inventory.Apply(c, e.Wanted, r.now()))
	}
	if a.Prune {
		for _, c := range sortedByName(known) {
			if c, change := inventory.Disable(c, r.now()); change != inventory.Unchanged {
				add(c, change)
			}
		}
	}
	return result, nil
}

// fewEntries is how many certificates are looked up one by one before reading the whole fleet is cheaper.
const fewEntries = 200

func (a *applyCmd) known(r *run, fleet fleetStore, entries []fleetfile.Entry) (map[string]inventory.Certificate, error) {
	known := make(map[string]inventory.Certificate, len(entries))
	if a.Prune || len(entries) > fewEntries {
		for c, err := range fleet.EachCertificate(r) {
			if err != nil {
				return nil, fmt.Errorf("reading the fleet: %w", err)
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

func (a *applyCmd) show(r *run, result []applied) error {
	counts := map[inventory.Change]int{}
	var rows []table.Row
	for _, x := range result {
		counts[x.Change]++
		if x.Change != inventory.Unchanged {
			rows = append(rows, table.Row{x.Certificate, x.Change, brief(x.Domains)})
		}
	}
	if err := r.print(result, table.Row{"certificate", "change", "names"}, rows); err != nil {
		return err
	}
	verb := "applied"
	if a.DryRun {
		verb = "would apply"
	}
	r.say("%s: %d added, %d changed, %d disabled, %d unchanged", verb, counts[inventory.Added], counts[inventory.Altered], counts[inventory.SwitchedOff], counts[inventory.Unchanged])
	return nil
}
