package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Accept tells the CA to look at a challenge. After any error the challenge is read before it is told again: a second look that
// fails would cost one of five failures an hour.
func (h *handle) Accept(ctx context.Context, ch renew.Challenge) error {
	doing := "accepting the challenge of " + ch.Domain
	if !isHTTPS(ch.URL) {
		return renew.Fail(renew.Unknown, reason.Interrupted, fmt.Errorf("%s: its URL isn't known; read the authorization again", doing))
	}
	for n := 1; ; n++ {
		c, err := h.once(ctx, doing, func(core *api.Core) error {
			got, err := core.Challenges.New(ch.URL)
			if err == nil && got.Status == "" {
				err = &garbled{"a challenge without a status"}
			}
			return err
		})
		if err == nil || looking(c) {
			return nil
		}
		if !c.sent || ctx.Err() != nil {
			return err
		}
		looked, readErr := h.looked(ctx, ch)
		if readErr != nil {
			return readErr
		}
		if looked {
			return nil
		}
		if n == tries || !passes(err) {
			return err
		}
	}
}

// looking says whether the CA refused because it is validating already (409 conflict).
func looking(c *call) bool {
	return c.err == nil && c.answer != nil && c.answer.status == http.StatusConflict
}

// looked says whether the CA is looking at the challenge, or has.
func (h *handle) looked(ctx context.Context, ch renew.Challenge) (bool, error) {
	var status string
	_, err := h.ask(ctx, "reading the challenge of "+ch.Domain, func(core *api.Core) error {
		got, err := core.Challenges.Get(ch.URL)
		if err == nil && got.Status == "" {
			err = &garbled{"a challenge without a status"}
		}
		status = got.Status
		return err
	})
	return status == acme.StatusProcessing || status == acme.StatusValid || status == acme.StatusInvalid, err
}

// passes says whether a failure is of the kind that another try can mend.
func passes(err error) bool {
	var f *renew.Failure
	return errors.As(err, &f) && f.Kind == renew.Later
}
