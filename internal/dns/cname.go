package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// longestChain is how many CNAMEs are followed. Resolvers stop at about as many, so a longer chain wouldn't validate either.
const longestChain = 10

// canonical follows CNAMEs from a challenge name to where its values belong. Unlike lego's own lookup it takes no failure for "no CNAME":
// a value at the unfollowed name would cost a failed validation.
func (n *network) canonical(ctx context.Context, name string) (string, error) {
	chain := []string{name}
	for {
		at := chain[len(chain)-1]
		answer, err := n.lookup(ctx, at, mdns.TypeCNAME)
		if ctx.Err() != nil {
			return "", ended(ctx.Err())
		}
		if err != nil {
			return "", renew.Fail(renew.Later, reason.DNSNotVisible, fmt.Errorf("looking for a CNAME of %s: %w", at, err))
		}
		next := cname(answer.Msg, at)
		if next == "" {
			return at, nil
		}
		if slices.Contains(chain, next) || len(chain) > longestChain {
			return "", renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("following CNAMEs from %s: they are a loop, or more than %d: %s; shorten the chain",
				name, longestChain, strings.Join(append(chain, next), " -> ")))
		}
		chain = append(chain, next)
	}
}

// cname is the target of a name's own CNAME in an answer, empty for none.
func cname(m *mdns.Msg, name string) string {
	for _, rr := range m.Answer {
		if c, ok := rr.(*mdns.CNAME); ok && strings.EqualFold(c.Hdr.Name, name) {
			return canonicalName(c.Target)
		}
	}
	return ""
}
