package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// NewOrder sends one newOrder, again only where its nonce was refused or there were too many requests: nothing was done then. `replaces` goes along only where the CA offers renewal information. ErrReplaced covers every
// refusal that is about `replaces`: replaced already, another account's, unknown to this CA, no name in common. No order exists then,
// and one without `replaces` is worth trying. The order that comes back may be an older one of the same names, still pending.
func (h *handle) NewOrder(ctx context.Context, o renew.NewOrder) (renew.Order, error) {
	const doing = "creating the order"
	var got acme.ExtendedOrder
	c := newCall(ctx)
	c.counted, c.by = true, h.wire.now().Add(OrderTimeout)
	err := h.carry(c, doing, false, func(core *api.Core) (err error) {
		got, err = core.Orders.NewWithOptions(o.Names, &api.OrderOptions{Profile: o.Profile, ReplacesCertID: o.Replaces})
		return err
	})
	if err != nil {
		return h.notCreated(ctx, c, o, err)
	}
	if !isHTTPS(got.Location) {
		return renew.Order{}, renew.Fail(renew.Unknown, reason.CAUnavailable, errors.New(doing+": the CA's answer has no usable Location"))
	}
	return h.created(ctx, o, got, c)
}

// created reads the answer to newOrder; where that makes no sense, the order is looked at where the answer says it is.
func (h *handle) created(ctx context.Context, o renew.NewOrder, got acme.ExtendedOrder, c *call) (renew.Order, error) {
	order, err := readOrder(got.Location, got.Order, c.answer.retryAfter(h.wire.now()))
	var e *excess
	if errors.As(err, &e) {
		return renew.Order{}, renew.Fail(renew.Never, reason.CARefused, fmt.Errorf("creating the order: %w", e))
	}
	if err != nil {
		return h.recover(ctx, o, got.Location)
	}
	return order, nil
}

// notCreated sorts out what a newOrder without a good answer means.
func (h *handle) notCreated(ctx context.Context, c *call, o renew.NewOrder, err error) (renew.Order, error) {
	if a := c.answer; c.sent && a != nil {
		if location := a.header.Get("Location"); a.status < 300 && isHTTPS(location) {
			return h.recover(ctx, o, location)
		}
		if o.Replaces != "" && c.err == nil && aboutReplacement(a.problem) {
			return renew.Order{}, fmt.Errorf("%w: %s", renew.ErrReplaced, a.problem.text)
		}
	}
	if c.ambiguous() {
		return renew.Order{}, unknown(err)
	}
	return renew.Order{}, err
}

// recover looks at an order of which no more than its URL came through.
func (h *handle) recover(ctx context.Context, o renew.NewOrder, location string) (renew.Order, error) {
	order, err := h.Order(ctx, location)
	var e *excess
	if errors.As(err, &e) {
		return renew.Order{}, err
	}
	if err != nil {
		return renew.Order{}, unknown(err)
	}
	if len(order.Names) > 0 && !sameNames(order.Names, o.Names) { // one that shows none is told by its authorizations
		return renew.Order{}, renew.Fail(renew.Never, reason.CARefused, fmt.Errorf("creating the order: the CA changed the names to %.300q", order.Names))
	}
	return order, nil
}

// Order looks at an order. One that the CA doesn't know, or knows no longer, is refused for good.
func (h *handle) Order(ctx context.Context, url string) (renew.Order, error) {
	var order renew.Order
	c, err := h.ask(ctx, "reading the order", func(core *api.Core) error {
		got, err := core.Orders.Get(url)
		if err != nil {
			return err
		}
		order, err = readOrder(url, got.Order, 0)
		return err
	})
	if err != nil {
		return renew.Order{}, err
	}
	order.RetryAfter = c.answer.retryAfter(h.wire.now())
	return order, nil
}

// Finalize sends the CSR once. Every doubt is Unknown, also where the CA says that the order isn't ready: it may be past that.
func (h *handle) Finalize(ctx context.Context, o renew.Order, csr []byte) (renew.Order, error) {
	const doing = "finalizing the order"
	if err := checkURLs("the finalize URL", o.FinalizeURL); err != nil {
		return renew.Order{}, renew.Fail(renew.Unknown, reason.CAUnavailable, fmt.Errorf("%s: %w", doing, err))
	}
	var order renew.Order
	c, err := h.once(ctx, doing, func(core *api.Core) error {
		got, err := core.Orders.UpdateForCSR(o.FinalizeURL, csr)
		if err != nil {
			return err
		}
		order, err = readOrder(o.URL, got.Order, 0)
		return err
	})
	if err != nil {
		if c.ambiguous() || c.sent && c.answer != nil && c.answer.status == http.StatusServiceUnavailable {
			return renew.Order{}, unknown(err)
		}
		return renew.Order{}, err
	}
	order.RetryAfter = c.answer.retryAfter(h.wire.now())
	return order, nil
}

// readOrder makes an order of what the CA showed. It refuses what can't be worked with.
func readOrder(url string, o acme.Order, retryAfter time.Duration) (renew.Order, error) {
	order := renew.Order{
		URL: url, Status: shownAs(o), Profile: o.Profile, Replaces: o.Replaces, Authorizations: o.Authorizations,
		FinalizeURL: o.Finalize, CertificateURL: o.Certificate, RetryAfter: retryAfter, Problem: say(o.Error), Reason: blame(o.Error),
	}
	for _, id := range o.Identifiers {
		order.Names = append(order.Names, plainName(id.Value))
	}
	if at, err := time.Parse(time.RFC3339, o.Expires); err == nil {
		order.Expires = at.UTC()
	}
	return order, checkOrder(order)
}

// shownAs is an order's status or, where the CA leaves that out, what its other fields tell.
func shownAs(o acme.Order) renew.OrderStatus {
	switch {
	case o.Status != "":
		return renew.OrderStatus(o.Status)
	case o.Certificate != "":
		return renew.Valid
	case o.Error != nil:
		return renew.Invalid
	}
	return renew.Pending
}

// mostNames is how many names, and so authorizations, an order of ours can have (docs/limits.md).
const mostNames = 100

func checkOrder(o renew.Order) error {
	if len(o.Authorizations) > mostNames || len(o.Names) > mostNames {
		return &excess{fmt.Sprintf("an order with %d names and %d authorizations", len(o.Names), len(o.Authorizations))}
	}
	if err := checkURLs("the authorization URL", o.Authorizations...); err != nil {
		return err
	}
	switch o.Status {
	case renew.Pending:
		if len(o.Authorizations) == 0 {
			return &garbled{"a pending order without authorizations"}
		}
	case renew.Valid:
		return checkURLs("the certificate URL", o.CertificateURL)
	case renew.Ready, renew.Processing, renew.Invalid:
	default:
		return &garbled{fmt.Sprintf("an order of status %.40q", o.Status)}
	}
	if o.Status == renew.Pending || o.Status == renew.Ready {
		return checkURLs("the finalize URL", o.FinalizeURL)
	}
	return nil
}

func sameNames(a, b []string) bool { return slices.Equal(nameSet(a), nameSet(b)) }

func nameSet(names []string) []string {
	set := make([]string, 0, len(names))
	for _, n := range names {
		set = append(set, plainName(n))
	}
	slices.Sort(set)
	return slices.Compact(set)
}
