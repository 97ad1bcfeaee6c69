package issuer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"net/http"

	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// OpenAccount loads the account of a directory, or registers it once. The key is stored before the CA hears of it, the URL after;
// whoever comes second, in this process or another, ends with the first one's key. allow is asked before a registration that the CA
// may count. A handle is kept for later calls.
func (i *Issuer) OpenAccount(ctx context.Context, shard, directory string, allow func(context.Context) error) (renew.CA, error) {
	p := place{shard, directory}
	if h := i.remembered(p); h != nil {
		return h, nil
	}
	var h *handle
	err := i.exclusively(ctx, hostOf(directory), func() (err error) {
		if h = i.remembered(p); h != nil {
			return nil
		}
		if h, err = i.openAccount(ctx, p, allow); err == nil {
			i.remember(p, h)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (i *Issuer) openAccount(ctx context.Context, p place, allow func(context.Context) error) (*handle, error) {
	host, err := CAHost(p.directory)
	if err != nil {
		return nil, renew.Fail(renew.Never, reason.Configuration, err)
	}
	r := &registration{Issuer: i, place: p, ca: secretName(host), allow: allow}
	a, fresh, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	if a.Directory != p.directory {
		return nil, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(
			"opening the account of shard %s: its secret belongs to the directory %s, not to %s; use that directory, or remove the secret to register anew",
			p.shard, a.Directory, p.directory))
	}
	h, err := i.connect(ctx, p, a)
	if err != nil {
		return nil, err
	}
	if a.URL == "" {
		return h, r.register(ctx, h, a, fresh)
	}
	return h, nil
}

// connect makes a handle with a lego core of its own. The core reads the directory, from memory mostly.
func (i *Issuer) connect(ctx context.Context, p place, a Account) (*handle, error) {
	key, err := signingKey(a.PrivateKey)
	if err != nil {
		return nil, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("opening the account %s at %s: %w", a.URL, a.Directory, err))
	}
	l := newLine(i.wire, hostOf(p.directory))
	h := &handle{wire: i.wire, line: l, account: a.URL, forget: func() { i.forget(p) }}
	c, err := h.once(ctx, "reading the directory "+p.directory, func(*api.Core) (err error) {
		// A client of its own, since lego wraps the transport of the one it is given.
		h.core, err = api.New(&http.Client{Transport: l}, i.agent, p.directory, a.URL, key)
		return err
	})
	if err != nil {
		return nil, notDirectory(c, p.directory, err)
	}
	if c.answer != nil && c.answer.directoryFault() != "" { // else it is one that was read before
		return nil, notDirectory(c, p.directory, nil)
	}
	h.meta = readMeta(h.core.GetDirectory().Meta)
	return h, nil
}

// notDirectory turns an answer that isn't a directory into a word to the operator. An overloaded CA stays one.
func notDirectory(c *call, directory string, err error) error {
	a := c.answer
	if c.err != nil || a == nil || a.overloaded(false) || err != nil && a.directoryFault() == "" || a.status == http.StatusInternalServerError {
		return err
	}
	what := a.directoryFault()
	if a.problem != nil {
		what = a.problem.text
	}
	if to := a.header.Get("Location"); a.status < 400 && to != "" {
		what = "it has moved to " + tidy(to)
	}
	return renew.Fail(renew.Never, reason.Configuration,
		fmt.Errorf("reading the directory %s: %s; give the URL of an ACME directory in CERTPACE_ACME_DIRECTORY or acme_directory", directory, what))
}

// signingKey reads a stored key and sees to it that it can sign for an account (RFC 7518: ES256, ES384, RS256).
func signingKey(text string) (crypto.Signer, error) {
	key, err := bundle.ParseKey(text)
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return key, nil
		}
	}
	return nil, fmt.Errorf("reading the account key: a %T can't be used; it must be EC P-256, EC P-384 or RSA", key)
}

func newAccountKey() (string, error) {
	key, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		return "", fmt.Errorf("making an account key: %w", err)
	}
	return bundle.EncodeKey(key)
}
