package issuer

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Accept tells the CA once to look at a challenge; again only where its nonce was refused or there
// were too many requests. Where it isn't known whether the CA heard, the challenge is read: some
// CAs show that they look. Let's Encrypt doesn't, so a challenge that is pending then is Unknown: a
// second look that fails would cost one of five failures an hour.
func (h *handle) Accept(ctx context.Context, ch renew.Challenge) (time.Duration, error) {
	doing := "accepting the challenge of " + ch.Domain
	if !isHTTPS(ch.URL) {
		return 0, renew.Fail(renew.Unknown, reason.Interrupted, fmt.Errorf("%s: its URL isn't known; read the authorization again", doing))
	}
	c, err := h.once(ctx, doing, func(core *api.Core) error {
		got, err := core.Challenges.New(ch.URL)
		if err == nil && got.Status == "" {
			err = &garbled{"a challenge without a status"}
		}
		return err
	})
	if err == nil || looking(c) {
		return c.answer.retryAfter(h.wire.now()), nil
	}
	if !c.sent || ctx.Err() != nil {
		return 0, err
	}
	if err := h.pause(c, 1); err != nil {
		return 0, unknown(during(doing, err))
	}
	looked, asked, readErr := h.looked(ctx, ch)
	switch {
	case readErr != nil:
		return 0, readErr
	case looked:
		return asked, nil
	case c.ambiguous():
		return 0, unknown(err)
	}
	return 0, err
}

// looking says whether the CA refused because it is validating already (409 conflict).
func looking(c *call) bool {
	return c.err == nil && c.answer != nil && c.answer.status == http.StatusConflict
}

// looked says whether the CA is looking at the challenge, or has, and for how long it asks to be
// left alone.
func (h *handle) looked(ctx context.Context, ch renew.Challenge) (bool, time.Duration, error) {
	var status string
	c, err := h.ask(ctx, "reading the challenge of "+ch.Domain, func(core *api.Core) error {
		got, err := core.Challenges.Get(ch.URL)
		if err == nil && got.Status == "" {
			err = &garbled{"a challenge without a status"}
		}
		status = got.Status
		return err
	})
	if err != nil {
		return false, 0, err
	}
	known := status == acme.StatusProcessing || status == acme.StatusValid || status == acme.StatusInvalid
	return known, c.answer.retryAfter(h.wire.now()), nil
}
