package ca

import (
	"net/http"
	"strings"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

// retell carries out a challenge's second telling. Boulder validates anew each time that it is told
// while the authorization is pending, and shows the challenge of one that is valid; Pebble refuses
// both. a is its refusal, which came after the signature's check. p.mu is held.
func (p *pebble) retell(hr *http.Request, r Request, a *answer) {
	kind, id := classify(hr.URL.Path)
	_, detail := a.problem()
	if kind != KindChallenge || a.status != http.StatusBadRequest || !strings.HasPrefix(detail, "Cannot update challenge with status ") {
		return
	}
	ch := p.db.GetChallengeByID(id)
	account := lastSegment(r.Account)
	if ch == nil || ch.Authz.Order.AccountID != account {
		a.refuseWith(http.StatusForbidden, "unauthorized", "User account ID doesn't match account ID in authorization")
		return
	}
	ch.RLock()
	shown := ch.Challenge
	ch.RUnlock()
	switch shown.Status {
	case acme.StatusProcessing:
		p.validateAgain(ch, shown, account, r.Account)
	case acme.StatusValid:
	default:
		return
	}
	a.header.Set("Content-Type", "application/json")
	a.header.Add("Link", "<"+ch.Authz.URL+`>;rel="up"`)
	a.replace(http.StatusOK, indented(shown))
}

// validateAgain looks once more, for an authorization that nobody is shown: as at Boulder, the
// first look that ends decides.
func (p *pebble) validateAgain(ch *core.Challenge, shown acme.Challenge, account, accountURL string) {
	order := &core.Order{ID: "looked at again", AccountID: account}
	ch.Authz.RLock()
	authz := &core.Authorization{ID: ch.Authz.ID, Order: order, Authorization: ch.Authz.Authorization}
	ch.Authz.RUnlock()
	again := &core.Challenge{ID: ch.ID, Authz: authz, Challenge: shown}
	name, wildcard := strings.CutPrefix(authz.Identifier.Value, "*.")
	p.validator.ValidateChallenge(acme.Identifier{Type: authz.Identifier.Type, Value: name}, again, p.db.GetAccountByID(account), accountURL, wildcard)
}
