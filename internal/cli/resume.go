package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/app/operator"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

type resumeBudgetsCmd struct {
	Names []string `arg:"" optional:"" name:"certificate" help:"Only the names of these certificates; all that are paused where none is given."`
}

// resumed is the JSON that budgets resume prints; it is stable.
type resumed struct {
	Names        []resumedName `json:"names"`        // no longer marked
	Certificates []string      `json:"certificates"` // that waited, and are due now
}

type resumedName struct {
	CA   string `json:"ca"`
	Name string `json:"name"`
}

// Run takes the marks off that a pause of the CA left, and makes what waited for them due. It asks nobody: where the CA's own pause is still
// on, the next order is refused, and the mark is back.
func (c *resumeBudgetsCmd) Run(r *run) error {
	op, err := r.open("TABLE")
	if err != nil {
		return err
	}
	find := c.all
	if len(c.Names) > 0 {
		find = c.named
	}
	keys, waiting, err := find(r, op)
	if err != nil {
		return err
	}
	if err := lift(r, op, keys); err != nil {
		return err
	}
	if err := wake(r, op, waiting); err != nil {
		return err
	}
	return showResumed(r, keys, waiting)
}

// all finds every mark, and every certificate that waits.
func (c *resumeBudgetsCmd) all(r *run, op *operator.Operator) (keys []budget.Key, waiting []inventory.Certificate, err error) {
	for b, err := range op.Store.EachBucket(r, r.now()) {
		if err != nil {
			return nil, nil, fmt.Errorf("reading the budgets: %w", err)
		}
		if b.Bucket.IsPaused() {
			keys = append(keys, b.Key)
		}
	}
	for cert, err := range readable(r, op.Store) {
		if err != nil {
			return nil, nil, err
		}
		if waits(cert, r.now()) {
			waiting = append(waiting, cert)
		}
	}
	return keys, waiting, nil
}

// named finds the marks of the certificates that are named, and those of them that wait. A name that isn't in the inventory resumes nothing.
func (c *resumeBudgetsCmd) named(r *run, op *operator.Operator) (keys []budget.Key, waiting []inventory.Certificate, err error) {
	var faults []error
	seen := map[budget.Key]bool{}
	for _, name := range c.Names {
		cert, err := op.Store.Certificate(r, name)
		if errors.Is(err, renew.ErrUnknown) {
			err = unknown(name)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		marks, err := marksOf(r, op, cert)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range marks {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
		if waits(cert, r.now()) {
			waiting = append(waiting, cert)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, nil, err
	}
	waiting, err = beside(r, op, keys, waiting)
	return keys, waiting, err
}

// beside is waiting with whatever else waits for one of the marks.
func beside(r *run, op *operator.Operator, marks []budget.Key, waiting []inventory.Certificate) ([]inventory.Certificate, error) {
	if len(marks) == 0 {
		return waiting, nil
	}
	listed := map[string]bool{}
	for _, c := range waiting {
		listed[c.Name] = true
	}
	for c, err := range readable(r, op.Store) {
		if err != nil {
			return nil, err
		}
		if listed[c.Name] || !waits(c, r.now()) {
			continue
		}
		keys, err := pauseKeys(c)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(keys, func(k budget.Key) bool { return slices.Contains(marks, k) }) {
			waiting = append(waiting, c)
		}
	}
	return waiting, nil
}

// pauseKeys lists the buckets that keep a pause of the certificate's names, at each of its CAs.
func pauseKeys(c inventory.Certificate) (keys []budget.Key, err error) {
	for _, d := range c.Wanted.Directories() {
		host, err := budget.CAHost(d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		keys = append(keys, budget.PauseKeys(host, c.Shard, c.Wanted.Domains)...)
	}
	return keys, nil
}

// waits says whether a certificate waits for the end of a pause. One that was resumed before, and
// not looked at since, is due already.
func waits(c inventory.Certificate, now time.Time) bool {
	return c.Status.Reason == reason.AccountPaused && c.Status.NextAttempt.After(now)
}

func marksOf(r *run, op *operator.Operator, c inventory.Certificate) (marks []budget.Key, err error) {
	keys, err := pauseKeys(c)
	if err != nil {
		return nil, err
	}
	have, err := op.Store.Buckets(r, keys)
	if err != nil {
		return nil, fmt.Errorf("reading the budgets of %s: %w", c.Name, err)
	}
	for _, k := range keys {
		if have[k].IsPaused() {
			marks = append(marks, k)
		}
	}
	return marks, nil
}

// lift takes marks off. Whoever else did so meanwhile did the same.
func lift(r *run, op *operator.Operator, keys []budget.Key) error {
	writes := make([]budget.Write, 0, len(keys))
	limits := map[string]budget.Limits{}
	for _, k := range keys {
		if _, known := limits[k.CA]; !known {
			l, err := op.Store.Limits(r, "https://"+k.CA+"/")
			if err != nil {
				return fmt.Errorf("reading the limits of %s: %w", k.CA, err)
			}
			limits[k.CA] = l
		}
		w := budget.Write{Key: k, Read: budget.Paused()}
		if l, limited := limits[k.CA].Of(k); limited {
			w.New = budget.Resumed(l, r.now())
		}
		writes = append(writes, w)
	}
	if err := op.Store.MoveBuckets(r, writes); err != nil {
		return fmt.Errorf("lifting the pause: %w; resume again", err)
	}
	return nil
}

// wake makes certificates due now.
func wake(r *run, op *operator.Operator, cs []inventory.Certificate) error {
	due := make([]inventory.Certificate, 0, len(cs))
	now := r.now().UTC().Truncate(time.Second)
	for _, c := range cs {
		c.Status.NextAttempt, c.Status.Due, c.Status.Message = now, now, "resumed by hand; the next tick goes on with it"
		due = append(due, c)
	}
	conflicts, err := op.Store.SaveCertificates(r, due)
	if err != nil {
		return fmt.Errorf("making %d certificates due: %w", len(due), err)
	}
	if len(conflicts) > 0 {
		return fmt.Errorf("making certificates due: %v changed meanwhile and were left as they are; resume again", conflicts)
	}
	return nil
}

func showResumed(r *run, keys []budget.Key, waiting []inventory.Certificate) error {
	all := resumed{Names: []resumedName{}, Certificates: []string{}}
	var rows []table.Row
	for _, k := range keys {
		_, name, _ := k.Failure()
		all.Names = append(all.Names, resumedName{CA: k.CA, Name: name})
		rows = append(rows, table.Row{k.CA, name})
	}
	for _, c := range waiting {
		all.Certificates = append(all.Certificates, c.Name)
	}
	if err := r.print(all, table.Row{"ca", "name"}, rows); err != nil {
		return err
	}
	r.say("%d names resumed, %d certificates due now", len(keys), len(waiting))
	return nil
}
