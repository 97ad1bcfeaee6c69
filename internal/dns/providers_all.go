//go:build allproviders

package dns

import "github.com/go-acme/lego/v4/providers/dns"

func init() { every = dns.NewDNSChallengeProviderByName }
