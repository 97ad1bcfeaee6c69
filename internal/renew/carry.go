package renew

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// How often a waiting order is looked at where the CA doesn't say: soon at first, then less and less.
const (
	firstLook = 500 * time.Millisecond
	lastLook  = 10 * time.Second
)

// mostFinalizes is how often one invocation finalizes an order that is shown as ready again and again: a request may get lost, but not so often.
const mostFinalizes = 5

// carry takes an order to valid, in a rehearsal to ready. It believes only the state that the CA shows, so it may begin anywhere.
func (r *run) carry(ca CA, order Order) (Order, error) {
	c := &carrier{run: r, ca: ca, look: firstLook, telling: telling{doubts: map[string]bool{}}}
	for order.Status != Valid && (r.iss.Rehearsal == "" || order.Status != Ready) {
		if err := r.ofOurs(order); err != nil {
			return Order{}, err
		}
		var err error
		if order, err = c.step(order); err != nil {
			return Order{}, err
		}
	}
	return order, nil
}

// carrier is an order on its way.
type carrier struct {
	*run
	ca     CA
	proved bool          // this invocation has put the values there and told the CA to look
	look   time.Duration // how long the next wait is, where the CA doesn't say
	sent   int           // how often this invocation has finalized
	telling

	leave   time.Time // when an order that the CA works on is left to later
	since   time.Time // when the CA was told to look
	glances time.Time // when the authorizations of an order that stays pending are looked at next
}

// step does what the order's state asks for, and returns the order as the CA shows it then.
func (c *carrier) step(order Order) (Order, error) {
	var err error
	switch order.Status {
	case Ready:
		if c.sent++; c.sent > mostFinalizes {
			return Order{}, Fail(Later, reason.CAUnavailable, fmt.Errorf("finalizing the order: the CA shows it as ready, although it was finalized %d times", mostFinalizes))
		}
		return c.finalize(order)
	case Invalid:
		if c.sent == 0 {
			c.unissued()
		}
		return Order{}, c.invalid(c.ca, order)
	case Processing:
		err = c.wait(order)
	case Pending:
		err = c.pending(order)
	default:
		err = refused(reason.CARefused, "following the order: the CA shows a state %q that RFC 8555 doesn't know", order.Status)
	}
	if err != nil {
		return Order{}, err
	}
	if order, err = c.ca.Order(c.work, c.iss.OrderURL); err != nil {
		return Order{}, fmt.Errorf("looking at the order: %w", err)
	}
	return order, nil
}

// firstGlance is how long an order may stay pending before its authorizations are looked at.
// Boulder is through within seconds.
const firstGlance = 30 * time.Second

// glance looks whether the CA has failed to prove a name and leaves it pending, as step-ca does:
// its challenge then has an error and waits to be told again, which nobody would. It is a failed
// validation, else the order would stay pending until every invocation's end.
func (c *carrier) glance(order Order) error {
	now := c.Now()
	if now.Before(c.glances) {
		return nil
	}
	c.glances = now.Add(2 * now.Sub(c.since))
	auths, err := c.authorizations(c.ca, order)
	if err != nil {
		return fmt.Errorf("looking why the order is still pending: %w", err)
	}
	return c.unproved(auths, func(a Authorization) bool { return a.Status == Pending && !a.Accepted && a.Problem != "" })
}

// unproved is the failure of the names that the CA couldn't prove, each counted; nil where there is
// none.
func (r *run) unproved(auths []Authorization, failed func(Authorization) bool) error {
	var names []string
	var why []reason.Reason
	var words string
	for _, a := range auths {
		if failed(a) {
			names, why = append(names, a.Name), append(why, cmp.Or(a.Reason, reason.ValidationFailed))
			words = a.Name + ": " + cmp.Or(a.Problem, "the CA says no more than that it is invalid")
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := r.countFailures(names); err != nil {
		return err
	}
	return dead(foremost(why), fmt.Errorf("proving %d of %d names: %s", len(names), len(auths), words))
}

// wait lets the CA work: as long as it asked for, else a little longer each time. What it asks for
// beyond this invocation is waited for in the table, and so is what it doesn't get done with.
func (c *carrier) wait(o Order) error {
	asked := o.RetryAfter
	if asked <= 0 {
		asked, c.told = c.told, 0
	}
	d := asked
	if d <= 0 {
		d = c.look
	}
	c.look = min(c.look*3/2, lastLook)
	deadline, ok := c.work.Deadline()
	switch {
	case o.Status == Processing && d < laterLook && c.stayed():
		return c.unfinished(o)
	case !ok || !c.Now().Add(d).After(deadline):
		return c.Sleep(c.work, d)
	case asked > 0:
		return c.working(o, asked, "asked to be asked again in "+asked.Round(time.Second).String())
	}
	return LaterAt(c.Now(), reason.Deadline, errors.New("the order is still being worked on when this invocation ends"))
}

// working is an order that isn't looked at again for as long as the CA asked, or as is left to it: a
// day at most, and not beyond the order's expiry. One that has expired is as good as none (RFC 8555,
// 7.1.3).
func (c *carrier) working(o Order, wait time.Duration, says string) error {
	now := c.Now()
	if !o.Expires.IsZero() && !o.Expires.After(now) {
		return fmt.Errorf("following the order: it expired at %s, and the CA shows it as %s: %w", stamp(o.Expires), o.Status, errLapsed)
	}
	at := c.cert.AttemptBy(now.Add(wait), now)
	if !o.Expires.IsZero() {
		at = earlier(at, o.Expires)
	}
	return &Failure{Kind: Later, Reason: reason.CAUnavailable, At: at, Working: true, Err: fmt.Errorf(
		"the CA works on the order, and %s; it is, at %s", says, stamp(at))}
}

// pending proves the names, once in an invocation; then it waits, and tells the CA again where that
// is to be done.
func (c *carrier) pending(order Order) error {
	switch {
	case !c.proved:
		c.proved = true
		err := c.prove(order)
		c.since, c.glances = c.Now(), c.Now().Add(firstGlance)
		return err
	case len(c.doubts) > 0 && !c.Now().Before(c.retellAt):
		return c.tellAgain(order)
	}
	if err := c.glance(order); err != nil {
		return err
	}
	return c.wait(order)
}

// prove puts every value that is asked for into the DNS, waits once, and tells the CA to look. What was accepted or proved before is left
// alone. The records are written down before they are written to the DNS, so that a later invocation can take them away.
func (c *carrier) prove(order Order) error {
	open, err := c.open(order)
	if err != nil || len(open) == 0 {
		return err
	}
	if err := c.publish(open); err != nil {
		return err
	}
	return c.tell(c.untold(open))
}

// open lists the challenges that the CA is to be told to look at; none where the order is, or will
// be, invalid: the next look says so.
func (c *carrier) open(order Order) ([]Challenge, error) {
	auths, err := c.authorizations(c.ca, order)
	if err != nil {
		return nil, fmt.Errorf("fetching the authorizations: %w", err)
	}
	var open []Challenge
	for _, a := range auths {
		switch {
		case a.Status == Pending && a.Challenge.URL == "":
			return nil, refused(reason.CARefused, "proving %s: the CA offers no dns-01 challenge for it", a.Name)
		case a.Status == Pending && !a.Accepted:
			open = append(open, a.Challenge)
		case a.Status == Pending:
			c.told = max(c.told, a.RetryAfter)
		case a.Status != Pending && a.Status != Valid:
			return nil, nil
		}
	}
	return open, nil
}

func (r *run) publish(open []Challenge) error {
	records, err := r.DNS.Locate(r.work, r.iss.Wanted.DNS, open)
	if err != nil {
		return fmt.Errorf("finding where the names are to be proved: %w", err)
	}
	r.iss.Records = merge(r.iss.Records, records)
	if err := r.progress(); err != nil {
		return err
	}
	r.log.Info("publishing challenge values", "values", len(records))
	if err := r.DNS.Publish(r.work, records); err != nil {
		return fmt.Errorf("publishing the challenge values: %w", err)
	}
	return nil
}

// merge adds records that aren't listed yet.
func merge(have, more []Record) []Record {
	listed := make(map[Record]bool, len(have))
	for _, r := range have {
		listed[r] = true
	}
	for _, r := range more {
		if !listed[r] {
			listed[r] = true
			have = append(have, r)
		}
	}
	return have
}

// finalize asks for the certificate, with the staged key. From before the request on, that key is worth a certificate, so this
// is written down first.
func (c *carrier) finalize(order Order) (Order, error) {
	csr, err := c.request()
	if err != nil {
		return Order{}, err
	}
	if err := c.redate(); err != nil {
		return Order{}, err
	}
	if !c.iss.Finalized {
		c.iss.Finalized = true
		if err := c.progress(); err != nil {
			return Order{}, err
		}
	}
	next, err := c.ca.Finalize(c.work, order, csr)
	if unknown(err) {
		if err := c.heed(err); err != nil {
			return Order{}, err
		}
		return c.ca.Order(c.work, order.URL)
	}
	if err != nil {
		return Order{}, fmt.Errorf("finalizing the order: %w", err)
	}
	if next.Status == Ready { // it has only just been told
		next.Status = Processing
	}
	return next, nil
}

// request is the user's own, or one that is made for the staged key, with which the order is then finalized.
func (r *run) request() ([]byte, error) {
	own, err := r.iss.Wanted.Request()
	if err != nil {
		return nil, refused(reason.Configuration, "reading the fleet file's csr: it %w", err)
	}
	if own != nil {
		return own.Raw, nil
	}
	key, err := r.safeKey()
	if err != nil {
		return nil, err
	}
	csr, err := request(key, r.iss.Wanted.Domains)
	if err != nil {
		return nil, Fail(Never, reason.Configuration, err)
	}
	r.finalized = key
	return csr, nil
}

// request is the CSR (RFC 2986) for the names. No common name: it is limited to 64 characters and nobody reads it.
func request(key crypto.Signer, names []string) ([]byte, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate signing request: %w", err)
	}
	return csr, nil
}

func unknown(err error) bool {
	var f *Failure
	return errors.As(err, &f) && f.Kind == Unknown
}

// invalid says why an order failed: the names that the CA couldn't prove, with its own words, each of them counted; or nothing but time.
func (r *run) invalid(ca CA, order Order) error {
	auths, err := r.authorizations(ca, order)
	if err != nil {
		return fmt.Errorf("fetching what went wrong with the order: %w", err)
	}
	if err := r.unproved(auths, func(a Authorization) bool { return a.Status == Invalid }); err != nil {
		return err
	}
	if order.Problem == "" {
		return errLapsed
	}
	return dead(cmp.Or(order.Reason, reason.CARefused), fmt.Errorf("following the order: %s", order.Problem))
}
