package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// How much of an account's list of orders is read, and how many of its orders are looked at, from its end: CAs that keep the list add there.
const (
	listPages = 20
	listLooks = 20
)

// FindOrder looks for an order that can still be finalized in the account's list, where the CA has one (RFC 8555, 7.1.2.1; Let's Encrypt has none).
// The profile must be the one that was asked for; where none was, the CA shows the one that it chose.
func (h *handle) FindOrder(ctx context.Context, o renew.NewOrder) (renew.Order, bool, error) {
	urls, err := h.listed(ctx)
	if err != nil {
		return renew.Order{}, false, err
	}
	slices.Reverse(urls)
	for _, at := range urls[:min(len(urls), listLooks)] {
		order, err := h.Order(ctx, at)
		if gone(err) {
			continue
		}
		if err != nil {
			return renew.Order{}, false, err
		}
		if (order.Status == renew.Pending || order.Status == renew.Ready) && isOf(order, o) {
			return order, true, nil
		}
	}
	return renew.Order{}, false, nil
}

func isOf(got renew.Order, o renew.NewOrder) bool {
	return (got.Profile == o.Profile || o.Profile == "") && got.Replaces == o.Replaces && sameNames(got.Names, o.Names)
}

func gone(err error) bool {
	var f *renew.Failure
	return errors.As(err, &f) && f.Kind == renew.Never && f.Reason == reason.CARefused
}

// listed reads the URLs of the account's orders, in the CA's order. Errors: renew.ErrNoList.
func (h *handle) listed(ctx context.Context) ([]string, error) {
	var page string
	_, err := h.ask(ctx, "reading the account", func(core *api.Core) error {
		got, err := core.Accounts.Get(h.account)
		page = got.Orders
		return err
	})
	if err != nil {
		return nil, err
	}
	if !isHTTPS(page) {
		return nil, renew.ErrNoList
	}
	var all []string
	for n := 0; n < listPages && isHTTPS(page); n++ {
		var urls []string
		if urls, page, err = h.orders(ctx, page); err != nil {
			return nil, err
		}
		all = append(all, urls...)
	}
	return all, nil
}

// orders reads a page of the list, and where the next one is. lego has no call for it: one that reads an order signs the same request, and
// the answer is read here.
func (h *handle) orders(ctx context.Context, page string) (urls []string, next string, err error) {
	c, err := h.ask(ctx, "reading the account's orders", func(core *api.Core) error {
		_, err := core.Orders.Get(page)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	var list struct {
		Orders []string `json:"orders"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(c.answer.body, byteOrderMark), &list); err != nil {
		return nil, "", renew.Fail(renew.Later, reason.CAUnavailable, errors.New("reading the account's orders: the CA's answer can't be read"))
	}
	for i, u := range list.Orders {
		list.Orders[i] = absolute(u, c.answer.base)
	}
	return slices.DeleteFunc(list.Orders, func(u string) bool { return !isHTTPS(u) }), nextPage(c.answer.header, page), nil
}

// nextPage is the target of a Link of relation next (RFC 8288), empty for none.
func nextPage(header http.Header, page string) string {
	if next := links(header, "next", page); len(next) > 0 {
		return next[0]
	}
	return ""
}
