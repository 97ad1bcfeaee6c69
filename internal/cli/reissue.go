package cli

import (
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
)

type reissueCmd struct {
	Names  []string `arg:"" name:"certificate" help:"Certificates to issue anew."`
	Force  bool     `help:"Also where the certificate was issued less than a day ago, or a quarter of its life where that is shorter. Never goes over a CA limit."`
	Reason string   `enum:"manual,revoked" default:"manual" help:"Why: manual or revoked."`
	confirmation
}

// asked is one certificate's entry in the JSON that reissue prints; it is stable.
type asked struct {
	Certificate string `json:"certificate"`
	Job         string `json:"job"`
	Sent        bool   `json:"sent"`
}

// Run sends one message for each certificate: the same that any SQS client may send. A name that isn't in the inventory sends nothing
// for any of them.
func (c *reissueCmd) Run(r *run) error {
	op, err := r.open("TABLE", "QUEUE_URL")
	if err != nil {
		return err
	}
	var faults []error
	var messages []plan.Message
	for _, name := range c.Names {
		if _, err := op.Store.Certificate(r, name); err != nil {
			if errors.Is(err, renew.ErrUnknown) {
				err = unknown(name)
			}
			faults = append(faults, err)
			continue
		}
		j := job.New(name, job.Reason(c.Reason), job.ID(name, job.Reason(c.Reason), r.now().UTC().String()))
		j.Force = c.Force
		messages = append(messages, plan.Message{Job: j})
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if len(messages) > many {
		if err := r.confirm(c.confirmation, fmt.Sprintf("reissuing has %d certificates issued anew, which spends the CA's budgets", len(messages))); err != nil {
			return err
		}
	}
	rejected, err := op.Queue.Send(r, messages)
	if err != nil {
		return err
	}
	return c.show(r, messages, rejected)
}

func (c *reissueCmd) show(r *run, messages []plan.Message, rejected []job.Job) error {
	bad := map[string]bool{}
	for _, j := range rejected {
		bad[j.ID] = true
	}
	var all []asked
	var rows []table.Row
	for _, m := range messages {
		x := asked{Certificate: m.Job.Certificate, Job: m.Job.ID, Sent: !bad[m.Job.ID]}
		all = append(all, x)
		rows = append(rows, table.Row{x.Certificate, x.Job, x.Sent})
	}
	if err := r.print(all, table.Row{"certificate", "job", "sent"}, rows); err != nil {
		return err
	}
	if len(rejected) > 0 {
		return fmt.Errorf("sending: the queue refused %d of %d messages; ask for these again", len(rejected), len(messages))
	}
	return nil
}
