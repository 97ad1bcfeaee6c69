package cli

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/doctor"
)

type doctorCmd struct {
	Names []string `arg:"" optional:"" name:"certificate" help:"Of all certificates look at these alone, and at their zones and CAA records, as the worker does before an order."`
}

// Run carries every check out. One that fails makes it fail.
func (d *doctorCmd) Run(r *run) error {
	op, err := r.open(app.Functions...)
	if err != nil {
		return err
	}
	dr, err := op.Doctor(r.now())
	if err != nil {
		return err
	}
	all := dr.Examine(r, d.Names)
	rows := make([]table.Row, 0, len(all))
	for _, f := range all {
		rows = append(rows, findingRow(f))
	}
	if err := r.print(all, table.Row{"state", "check", "of", "ends", "found", "do"}, rows); err != nil {
		return err
	}
	if n := doctor.Failed(all); n > 0 {
		return fmt.Errorf("%d of %d checks failed", n, len(all))
	}
	if n := doctor.Warned(all); n > 0 {
		r.say("nothing fails; %d of %d checks warn", n, len(all))
		return nil
	}
	r.say("nothing stands in the way")
	return nil
}

func findingRow(f doctor.Finding) table.Row {
	ends := ""
	if f.NotAfter != nil {
		ends = moment(*f.NotAfter)
	}
	return table.Row{f.State, f.Check, f.Subject, ends, f.Message, f.Act}
}
