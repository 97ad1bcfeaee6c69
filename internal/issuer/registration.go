package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// registration brings an account to where its key and URL are stored.
type registration struct {
	*Issuer
	place
	ca    string // as the store spells it
	allow func(context.Context) error
}

// load reads the stored account, or stores a new key. fresh says that the CA can't know the key yet.
func (r *registration) load(ctx context.Context) (a Account, fresh bool, err error) {
	a, err = r.accounts.LoadAccount(ctx, r.ca, r.shard)
	if err == nil {
		return a, false, nil
	}
	if !errors.Is(err, ErrNoAccount) {
		return Account{}, false, fmt.Errorf("loading the account of %s: %w", r.ca, err)
	}
	a = Account{Directory: r.directory}
	if a.PrivateKey, err = newAccountKey(); err != nil {
		return Account{}, false, renew.Fail(renew.Later, reason.StorageFailed, err)
	}
	err = r.accounts.SaveAccount(ctx, r.ca, r.shard, a)
	if errors.Is(err, ErrAccountExists) { // another worker was faster: its key it is
		a, err = r.accounts.LoadAccount(ctx, r.ca, r.shard)
		return a, false, r.because("loading", err)
	}
	return a, true, r.because("storing", err)
}

func (r *registration) because(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s the account of %s: %w", doing, r.ca, err)
}

// register makes the account known to the CA and stores its URL. A key that was stored by somebody before may be registered
// already; asking for that is free, while a registration is counted.
func (r *registration) register(ctx context.Context, h *handle, a Account, fresh bool) error {
	var url string
	var err error
	if !fresh {
		if url, err = h.findAccount(ctx); err != nil {
			return err
		}
	}
	if url == "" {
		if url, err = r.registered(ctx, h); err != nil {
			return err
		}
	}
	h.account, a.URL = url, url
	err = r.accounts.SaveAccount(ctx, r.ca, r.shard, a)
	return r.because("storing the URL of", err)
}

// registered registers the key, bound where the CA's directory asks for it or, where that doesn't,
// where the CA itself does.
func (r *registration) registered(ctx context.Context, h *handle) (string, error) {
	bound, err := r.binding(ctx, h.meta.bound)
	if err != nil {
		return "", err
	}
	if err := r.allow(ctx); err != nil {
		return "", fmt.Errorf("registering an account at %s: %w", r.directory, err)
	}
	url, c, err := h.newAccount(ctx, r.email, bound)
	if bound != nil || !c.refusedAs(externalAccountRequired) {
		return url, err
	}
	refusal := err
	if bound, err = r.binding(ctx, true); err != nil {
		return "", renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%w: %w", refusal, err))
	}
	url, _, err = h.newAccount(ctx, r.email, bound)
	return url, err
}

// binding is the external account to name, nil where none is needed.
func (r *registration) binding(ctx context.Context, needed bool) (*Binding, error) {
	if !needed {
		return nil, nil
	}
	b, err := r.accounts.LoadBinding(ctx, r.ca)
	if err != nil {
		return nil, fmt.Errorf("registering an account at %s: %w", r.directory, err)
	}
	return &b, nil
}

// refusedAs says whether the CA refused a call with a problem of one of these types.
func (c *call) refusedAs(kinds ...string) bool {
	return c.err == nil && c.answer != nil && c.answer.problem != nil && slices.Contains(kinds, c.answer.problem.kind)
}

// findAccount asks for the URL of the key's account (RFC 8555, 7.3.1); empty where the CA knows of
// none. Some CAs miss there what a registration needs, a binding or a contact, and so say that
// there is no account yet (docs/cas.md); to register it then is no second one, for one key has one
// account.
func (h *handle) findAccount(ctx context.Context) (string, error) {
	url, c, err := h.postAccount(ctx, "looking for the account", acme.Account{OnlyReturnExisting: true}, nil)
	if err != nil && c.refusedAs(accountDoesNotExist, externalAccountRequired, "invalidContact", "unsupportedContact", "userActionRequired") {
		return "", nil
	}
	return url, err
}

// newAccount registers the key, bound to an external account where one is given. It may be repeated: the CA answers the same key with the same account.
func (h *handle) newAccount(ctx context.Context, email string, bound *Binding) (string, *call, error) {
	request := acme.Account{TermsOfServiceAgreed: true}
	if email != "" {
		request.Contact = []string{"mailto:" + email}
	}
	return h.postAccount(ctx, "registering the account", request, bound)
}

// closedAccount is the error of an account that the CA knows and lets do nothing any more (RFC
// 8555, 7.1.2).
type closedAccount struct{ url, status string }

func (a *closedAccount) Error() string {
	return fmt.Sprintf("the CA says that the account %.300s is %s: have the CA open it again, or delete its secret to register a new one", a.url, a.status)
}

func (h *handle) postAccount(ctx context.Context, doing string, request acme.Account, bound *Binding) (string, *call, error) {
	var url string
	c := newCall(ctx)
	c.counted = true
	err := h.carry(c, doing, true, func(core *api.Core) error {
		post := core.Accounts.New
		if bound != nil {
			post = func(a acme.Account) (acme.ExtendedAccount, error) {
				return core.Accounts.NewEAB(a, bound.KeyID, bound.HMAC)
			}
		}
		got, err := post(request)
		url = got.Location
		if got.Status == acme.StatusDeactivated || got.Status == acme.StatusRevoked {
			return &closedAccount{url, got.Status}
		}
		if err != nil && (url == "" || c.err != nil || c.answer.problem != nil) {
			return err
		}
		return checkURLs("the account's URL", url) // all that matters of the answer
	})
	return url, c, err
}
