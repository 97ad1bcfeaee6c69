package lab

import (
	"context"

	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/ca"
)

// startBoulder starts Let's Encrypt's own CA, and the lab's front before it.
func (c *Cloud) startBoulder(ctx context.Context) (err error) {
	o := *c.Authority
	o.Resolver = c.DNS.Addr()
	if c.Boulder, err = boulder.Start(ctx, o); err != nil {
		return err
	}
	c.closers = append(c.closers, c.Boulder.Close)
	c.CA, err = ca.Behind(context.Background(), ca.Upstream{
		Address: c.Boulder.Address(), WFE: c.Boulder.WFE(), SFE: c.Boulder.SFE(), Roots: c.Boulder.Roots(), Issued: c.signed,
	}, ca.Options{Log: c.transcript})
	if err == nil {
		c.opened()
	}
	return err
}

// signed is what the CA's database says that it signed.
func (c *Cloud) signed(ctx context.Context) (all []ca.Signed, err error) {
	certificates, err := c.Boulder.Certificates(ctx)
	for _, s := range certificates {
		all = append(all, ca.Signed{Order: s.Order, Account: s.Account, Replaces: s.Replaces, Profile: s.Profile, DER: s.DER})
	}
	return all, err
}
