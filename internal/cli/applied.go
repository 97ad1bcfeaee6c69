package cli

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/inventory"
)

// show prints a row for each field that changes; what else is done with a certificate has one row.
func (a *applyCmd) show(r *run, all []applied, far string) error {
	counts := map[inventory.Change]int{}
	reissued := 0
	var rows []table.Row
	for _, x := range all {
		counts[x.Change]++
		if x.Reissued {
			reissued++
		}
		rows = append(rows, x.rows()...)
	}
	if err := r.print(all, table.Row{"certificate", "change", "names", "what changes"}, rows); err != nil {
		return err
	}
	verb := "applied"
	if a.DryRun {
		verb = "would apply"
	}
	r.say("%s: %d added, %d changed, %d disabled, %d unchanged", verb, counts[inventory.Added], counts[inventory.Altered], counts[inventory.SwitchedOff], counts[inventory.Unchanged])
	if reissued > 0 {
		r.say("issued anew, because what is in use is no longer what is wanted: %d", reissued)
	}
	if far != "" {
		r.say("it %s; without --dry-run certpace asks first, or takes --yes", far)
	}
	return nil
}

func (x applied) rows() (rows []table.Row) {
	if x.Change == inventory.Unchanged {
		return nil
	}
	for _, d := range x.Fields {
		rows = append(rows, table.Row{x.Certificate, x.Change, brief(x.Domains), difference(d)})
	}
	if len(rows) == 0 {
		rows = []table.Row{{x.Certificate, x.Change, brief(x.Domains), ""}}
	}
	return rows
}

// difference is a field's change in words. Of lists and maps only what comes and goes is named: a
// hundred names twice would hide it.
func difference(d inventory.Difference) string {
	was, isList := items(d.Old)
	now, _ := items(d.New)
	if !isList {
		return fmt.Sprintf("%s: %s -> %s", d.Field, single(d.Field, d.Old), single(d.Field, d.New))
	}
	var moves []string
	for _, x := range was {
		if !slices.Contains(now, x) {
			moves = append(moves, "-"+x)
		}
	}
	for _, x := range now {
		if !slices.Contains(was, x) {
			moves = append(moves, "+"+x)
		}
	}
	if moves == nil {
		return d.Field + ": another order"
	}
	return d.Field + ": " + strings.Join(moves, ", ")
}

// items are the entries of a list or a map.
func items(v any) (all []string, ok bool) {
	switch v := v.(type) {
	case []string:
		return v, true
	case []inventory.ACM:
		for _, x := range v {
			all = append(all, x.ARN)
		}
		return all, true
	case map[string]string:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, k+"="+v[k])
		}
		return all, true
	}
	return nil, false
}

// single is one value for people. A request for a certificate is long, and its fingerprint tells it
// from another.
func single(field string, v any) string {
	s := fmt.Sprint(v)
	switch {
	case s == "":
		return "(none)"
	case field == "csr":
		sum := sha256.Sum256([]byte(s))
		return fmt.Sprintf("sha256 %x…", sum[:6])
	}
	return s
}
