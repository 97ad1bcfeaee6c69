package dns

import (
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"maps"
	"slices"
	"strings"

	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/log"
	"github.com/go-acme/lego/v4/providers/dns/acmedns"
	"github.com/go-acme/lego/v4/providers/dns/cloudflare"
	"github.com/go-acme/lego/v4/providers/dns/digitalocean"
	"github.com/go-acme/lego/v4/providers/dns/gandiv5"
	"github.com/go-acme/lego/v4/providers/dns/godaddy"
	"github.com/go-acme/lego/v4/providers/dns/hetzner"
	"github.com/go-acme/lego/v4/providers/dns/httpreq"
	"github.com/go-acme/lego/v4/providers/dns/ovh"
	"github.com/go-acme/lego/v4/providers/dns/rfc2136"
)

// init silences lego: its log is a variable of its package and prints names, record ids and URLs, whoever uses it.
func init() { log.Logger = stdlog.New(io.Discard, "", 0) }

// constructors are lego's providers that are built in always, by lego's own codes. They read their settings from the environment, in the
// variables that lego documents. Of these, cloudflare finds a value again only by what its process remembers of writing it: what a killed
// worker wrote must be removed by hand, and acme-dns removes nothing ever.
var constructors = map[string]func() (challenge.Provider, error){
	"acme-dns":     func() (challenge.Provider, error) { return acmedns.NewDNSProvider() },
	"cloudflare":   func() (challenge.Provider, error) { return cloudflare.NewDNSProvider() },
	"digitalocean": func() (challenge.Provider, error) { return digitalocean.NewDNSProvider() },
	"gandiv5":      func() (challenge.Provider, error) { return gandiv5.NewDNSProvider() },
	"godaddy":      func() (challenge.Provider, error) { return godaddy.NewDNSProvider() },
	"hetzner":      func() (challenge.Provider, error) { return hetzner.NewDNSProvider() },
	"httpreq":      func() (challenge.Provider, error) { return httpreq.NewDNSProvider() },
	"ovh":          func() (challenge.Provider, error) { return ovh.NewDNSProvider() },
	"rfc2136":      func() (challenge.Provider, error) { return rfc2136.NewDNSProvider() },
}

// every makes any of lego's providers by its code, in a build that has all of them (the tag allproviders); else it is nil. All of them make the
// program five times as large (docs/operations.md).
var every func(code string) (challenge.Provider, error)

// replacing are the providers that remove whatever stands at a name before they write a value there.
var replacing = map[string]bool{"rfc2136": true, "dnsupdate": true}

// Providers lists the provider codes of every build, route53 first.
func Providers() []string {
	return append([]string{Route53}, slices.Sorted(maps.Keys(constructors))...)
}

func newProvider(code string) (challenge.Provider, error) {
	if construct := constructors[code]; construct != nil {
		return construct()
	}
	if every != nil {
		return every(code)
	}
	return nil, errors.New(unknown(code))
}

func unknown(code string) string {
	return fmt.Sprintf("%q is not one of the providers that this program was built with: %s; `make package TAGS=allproviders` builds a worker with all of lego's",
		code, strings.Join(Providers(), ", "))
}
