package dns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// longestChain is how many CNAMEs are followed. Resolvers stop at about as many, so a longer chain wouldn't validate either.
const longestChain = 10

// longestName is how many characters a name may have, its final dot included (RFC 1035, 2.3.4, has
// 255 octets on the wire).
const longestName = 254

// place is where a challenge's values belong.
type place struct {
	name     string // at the end of the chain of CNAMEs
	wildcard string // the target of the wildcard's CNAME that answers for the name until it has a value; empty for none
}

// canonical follows CNAMEs from a challenge name to where its values belong. Unlike lego's own
// lookup it takes no failure for "no CNAME": a value at the unfollowed name would cost a failed
// validation. A CNAME that a wildcard made up isn't followed: it is gone as soon as the name has a
// record of its own (RFC 4592, 2.2.1), and it was never meant as a delegation.
func (n *network) canonical(ctx context.Context, name string) (place, error) {
	chain := []string{name}
	for {
		at := chain[len(chain)-1]
		next, err := n.alias(ctx, at)
		if err != nil || next == "" {
			return place{name: at}, err
		}
		if made, err := n.synthesized(ctx, at, next); err != nil || made {
			return place{at, next}, err
		}
		if slices.Contains(chain, next) || len(chain) > longestChain {
			return place{}, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("following CNAMEs from %s: they are a loop, or more than %d: %s; shorten the chain",
				name, longestChain, strings.Join(append(chain, next), " -> ")))
		}
		chain = append(chain, next)
	}
}

// alias is the target of a name's CNAME, empty where it has none.
func (n *network) alias(ctx context.Context, name string) (string, error) {
	answer, err := n.lookup(ctx, name, mdns.TypeCNAME)
	if ctx.Err() != nil {
		return "", ended(ctx.Err())
	}
	if err != nil {
		return "", renew.Fail(renew.Later, reason.DNSNotVisible, fmt.Errorf("looking for a CNAME of %s: %w", name, err))
	}
	return cname(answer.Msg, name), nil
}

// draws is how often a wildcard is asked whether it has the CNAME of a name: one with a routing
// policy has several.
const draws = 6

// synthesized says whether a wildcard made up a name's CNAME. A wildcard doesn't answer for what
// lies below a name that exists (RFC 4592, 3.3.1, the closest encloser), so where a name below this
// one, which surely nobody made, has the same CNAME, this one doesn't exist either. A DNAME gives
// that name a target of its own (RFC 6672, 2.2), and is a delegation: nothing can be written below
// it.
func (n *network) synthesized(ctx context.Context, name, target string) (bool, error) {
	for nth := range draws {
		asked := nobodys(name, nth)
		got, err := n.alias(ctx, asked)
		if err != nil || got == target {
			return err == nil, err
		}
		if first, _, _ := strings.Cut(asked, "."); got == "" || strings.HasPrefix(got, first) {
			return false, nil
		}
	}
	return false, nil
}

// nobodys is a name that nobody made: below the given one or, where there is no room for another
// label, beside it. It is always the same, so that resolvers remember few.
func nobodys(name string, nth int) string {
	sum := sha256.Sum256(fmt.Append(nil, nth, name))
	label := "_" + hex.EncodeToString(sum[:10]) + "."
	if below := label + name; len(below) <= longestName {
		return below
	}
	return label + parent(name)
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
