package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/certpace/certpace/internal/simulate"
	"github.com/certpace/certpace/internal/suffix"
)

type simulateCmd struct {
	File   string `short:"f" required:"" placeholder:"FILE" help:"Scenario, YAML or JSON."`
	Events string `placeholder:"FILE" help:"Write what the CA sees, one JSON object a line."`
	Chart  string `placeholder:"FILE.html" help:"Write a chart of the run: orders an hour, budget left, least days left."`
}

// Run carries a scenario out. What it prints is one JSON object, whatever the output flag says: a contract that other programs read.
func (c *simulateCmd) Run(r *run) error {
	began := r.now()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a run lives on what it throws away: a third of its time goes, for memory that is there
	s, fleet, err := simulate.Load(c.File)
	if err != nil {
		return err
	}
	var result simulate.Result
	carry := func(events io.Writer) error {
		result, err = simulate.Run(r, s, fleet, simulate.Options{RegisteredDomains: suffix.RegisteredDomains, Events: events})
		return err
	}
	if err := intoFile(c.Events, carry); err != nil {
		return err
	}
	result.Summary.WallSeconds = r.now().Sub(began).Seconds()
	if c.Chart != "" {
		if err := intoFile(c.Chart, func(w io.Writer) error { return simulate.WriteChart(w, c.File, s, result) }); err != nil {
			return err
		}
	}
	summary, err := json.Marshal(result.Summary)
	if err != nil {
		return fmt.Errorf("printing the summary: %w", err)
	}
	return r.writeJSON(summary)
}

// intoFile lets write fill the file at path; without a path it writes nowhere.
func intoFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(nil)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("creating a file to write to: %w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
