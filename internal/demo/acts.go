package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/plan"
)

func (s *show) apply() error {
	s.heading("A fleet is applied")
	_, err := s.run(fleet(), "apply", "-f", "-")
	return err
}

// limit tells certpace of a limit that is small enough to be met with a handful of certificates.
func (s *show) limit() error {
	s.line("Of this CA's limits one is made so small that this fleet meets it:")
	_, err := s.run("", "budgets", "set", "certificates-per-registered-domain", "--burst", fmt.Sprint(domainBurst), "--period", "168h")
	return err
}

func (s *show) plan() error {
	s.heading("What would the next tick do? Nothing is spent by asking")
	_, err := s.run("", "plan", "--tick", tick.String())
	return err
}

// issue lets the schedule tick and watches until everything that can be issued is.
func (s *show) issue() error {
	s.heading("The schedule ticks; the planner puts jobs on the queue; the worker issues")
	if err := s.tick(); err != nil {
		return err
	}
	wanted := strings.Count(fleet(), "name:") - len([]string{deferred, broken})
	return s.watch(wanted)
}

func (s *show) tick() error {
	r, err := s.cloud.Tick(s, tick)
	if err != nil {
		return err
	}
	var sum plan.Summary
	if err := json.Unmarshal(r.Payload, &sum); err != nil {
		return err
	}
	s.line("  planner: due %d, jobs sent %d, in %s", sum.Considered, sum.Scheduled, r.Duration.Round(time.Millisecond))
	return nil
}

func (s *show) standing() error {
	s.heading("Where the fleet stands")
	_, err := s.run("", "status")
	return err
}

// again shows that a second tick orders nothing.
func (s *show) again() error {
	s.heading("The next tick orders nothing")
	before := len(s.cloud.CA.Orders())
	if err := s.tick(); err != nil {
		return err
	}
	if err := s.wait(2 * time.Second); err != nil {
		return err
	}
	after := len(s.cloud.CA.Orders())
	s.line("  orders at the CA: %d before, %d after", before, after)
	if after != before {
		return fmt.Errorf("the second tick made %d orders", after-before)
	}
	return nil
}

const victim = "checkout"

// kill applies one more certificate and kills the worker the moment the CA has taken its finalize: the certificate exists, and nobody has it.
func (s *show) kill() error {
	s.heading("One more certificate; and the worker is killed (SIGKILL) when the CA has just issued it")
	if err := s.cloud.Renew.SetTimeout(killedTimeout); err != nil {
		return err
	}
	s.line("  the worker's timeout is %s from now on, so that its lease, which ends 30 s after its deadline, ends while you watch", killedTimeout)
	done := make(chan struct{})
	var remove func()
	remove = s.cloud.CA.OnAfter(func(r ca.Request) ca.Verdict {
		if r.Kind == ca.KindFinalize {
			s.worker = s.cloud.Renew.Pid()
			s.cloud.Renew.Kill()
			remove()
			close(done)
		}
		return ca.Pass()
	})
	if _, err := s.run("certificates:\n  - {name: "+victim+", domains: [checkout.farm.test, pay.farm.test]}\n", "apply", "-f", "-"); err != nil {
		return err
	}
	if err := s.tick(); err != nil {
		return err
	}
	select {
	case <-done:
	case <-s.Done():
		return s.Err()
	case <-time.After(patience):
		return fmt.Errorf("the worker of %s wasn't seen to finalize", victim)
	}
	s.line("  %s worker %d is dead. Its order, its key and its place in the sequence are stored.", s.clock(), s.worker)
	s.line("  Meanwhile:")
	return nil
}

func (s *show) badOne() error {
	s.heading("What fails says why, and when it is tried again")
	_, err := s.run("", "status", broken, deferred)
	return err
}

func (s *show) left() error {
	s.heading("What is left of each budget")
	_, err := s.run("", "budgets")
	return err
}

// resume waits for the next delivery to finish the killed worker's order.
func (s *show) resume() error {
	s.heading("The queue delivers the killed worker's job again: the same order is finished")
	if _, err := s.run("", "status", victim); err != nil {
		return err
	}
	s.line("  waiting for the dead worker's lease to end: until then nobody else may go on …")
	if err := s.until(victim+" to be issued", func() (bool, error) { return s.inUse(victim) }); err != nil {
		return err
	}
	orders, issued := s.ordersOf("pay.farm.test"), s.issuedFor("pay.farm.test")
	s.line("  %s %s is issued and stored: %d order at the CA, %d certificate", s.clock(), victim, orders, issued)
	if orders != 1 || issued != 1 {
		return fmt.Errorf("%s took %d orders and %d certificates", victim, orders, issued)
	}
	return nil
}

// reissue asks for a new certificate by a message.
func (s *show) reissue() error {
	s.heading("A person asks for a new one: a message on the queue, by any SQS client or by certpace")
	before, err := s.serial("www")
	if err != nil {
		return err
	}
	if _, err := s.run("", "reissue", "www", "--force"); err != nil {
		return err
	}
	after := before
	err = s.until("www to be reissued", func() (bool, error) {
		after, err = s.serial("www")
		return after != before, err
	})
	if err != nil {
		return err
	}
	orders := s.cloud.CA.Orders()
	last := orders[len(orders)-1]
	s.line("  serial %s became %s; its order told the CA what it replaces (ARI, RFC 9773): %s", before, after, last.Replaces)
	if last.Replaces == "" {
		return fmt.Errorf("the order that renewed www didn't say what it replaces")
	}
	return nil
}
