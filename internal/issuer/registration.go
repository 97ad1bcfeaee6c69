package issuer

import (
	"context"
	"errors"
	"fmt"

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
		bound, err := r.binding(ctx, h)
		if err != nil {
			return err
		}
		if err := r.allow(ctx); err != nil {
			return fmt.Errorf("registering an account at %s: %w", r.directory, err)
		}
		if url, err = h.newAccount(ctx, r.email, bound); err != nil {
			return err
		}
	}
	h.account, a.URL = url, url
	err = r.accounts.SaveAccount(ctx, r.ca, r.shard, a)
	return r.because("storing the URL of", err)
}

// binding is the external account to name, nil where the CA doesn't ask for one.
func (r *registration) binding(ctx context.Context, h *handle) (*Binding, error) {
	if !h.meta.bound {
		return nil, nil
	}
	b, err := r.accounts.LoadBinding(ctx, r.ca)
	if err != nil {
		return nil, fmt.Errorf("registering an account at %s: %w", r.directory, err)
	}
	return &b, nil
}

// findAccount asks for the URL of the key's account (RFC 8555, 7.3.1); empty where the CA knows of none.
func (h *handle) findAccount(ctx context.Context) (string, error) {
	url, c, err := h.postAccount(ctx, "looking for the account", acme.Account{OnlyReturnExisting: true}, nil)
	if err != nil && c.err == nil && c.answer != nil && c.answer.problem != nil && c.answer.problem.kind == accountDoesNotExist {
		return "", nil
	}
	return url, err
}

// newAccount registers the key, bound to an external account where one is given. It may be repeated: the CA answers the same key with the same account.
func (h *handle) newAccount(ctx context.Context, email string, bound *Binding) (string, error) {
	request := acme.Account{TermsOfServiceAgreed: true}
	if email != "" {
		request.Contact = []string{"mailto:" + email}
	}
	url, _, err := h.postAccount(ctx, "registering the account", request, bound)
	return url, err
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
		if err != nil && (url == "" || c.err != nil || c.answer.problem != nil) {
			return err
		}
		return checkURLs("the account's URL", url) // all that matters of the answer
	})
	return url, c, err
}
