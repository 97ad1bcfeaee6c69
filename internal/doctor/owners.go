package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/vault"
)

// owners holds the secrets below the prefix to the table: what is another deployment's, or is in
// the table under another prefix, the worker refuses. It returns the certificates about which there
// is nothing else to say.
func (v *visit) owners(ctx context.Context, list []vault.Listed) (told map[string]bool) {
	o := &owners{visit: v, told: map[string]bool{}, theirs: map[string][]string{}, beside: map[string][]string{}, known: map[string]*inventory.Certificate{}}
	for i := range v.fleet {
		o.known[v.fleet[i].Name] = &v.fleet[i]
	}
	ours := map[string]bool{}
	for _, l := range list {
		o.sort(l)
		ours[l.Certificate] = l.Deployment == v.Deployment
	}
	o.sayTheirs()
	o.astray(ours)
	o.sayUnknown()
	o.accounts(ctx)
	return o.told
}

// owners is secrets being held to the table.
type owners struct {
	*visit
	known          map[string]*inventory.Certificate
	told           map[string]bool
	theirs, beside map[string][]string // by deployment: names that the table has, and that it doesn't have
	unknown        []string            // ours, and not in the table
}

func (o *owners) sort(l vault.Listed) {
	c := o.known[l.Certificate]
	switch {
	case l.Deployment == o.Deployment && c == nil:
		o.unknown = append(o.unknown, l.Certificate)
	case l.Deployment == o.Deployment:
	case l.Deployment == "":
		o.unnamed(l, c)
	case c == nil:
		o.beside[l.Deployment] = append(o.beside[l.Deployment], l.Certificate)
	default:
		o.theirs[l.Deployment] = append(o.theirs[l.Deployment], l.Certificate)
		o.told[l.Certificate] = true
	}
}

// unnamed is a secret that names no deployment. The table knows those of before secrets did.
func (o *owners) unnamed(l vault.Listed, c *inventory.Certificate) {
	if c == nil || c.Status.Issuance != "" || c.InUse != nil && c.InUse.SecretARN == l.ARN {
		return
	}
	o.told[l.Certificate] = true
	o.say("secrets", l.Certificate, Fail, "a secret of its name is there, names no deployment, and the table doesn't know it: the worker refuses it. Where it is this deployment's, "+
		"`certpace adopt %s --secret %s`; else give the deployment another prefix (secret_prefix)", l.Certificate, l.ARN)
}

// takeOver is what to do about what another deployment has.
func takeOver(owner string) string {
	return fmt.Sprintf("Give one of the two deployments a prefix of its own (secret_prefix), or, where %q is gone for good, `certpace adopt --from-secrets --take-over`", owner)
}

func (o *owners) sayTheirs() {
	for _, owner := range slices.Sorted(maps.Keys(o.theirs)) {
		names := o.theirs[owner]
		o.say("secrets", "", Fail, "the secrets of %d certificates belong to the deployment %q: %s. The worker of %q refuses them. %s", len(names), owner, some(names), o.Deployment, takeOver(owner))
	}
	for _, owner := range slices.Sorted(maps.Keys(o.beside)) {
		names := o.beside[owner]
		o.say("secrets", "", Warn, "%d secrets below %s belong to the deployment %q: %s. %s", len(names), o.SecretPrefix, owner, some(names), takeOver(owner))
	}
}

// astray says what is in use in secrets under another prefix, where nothing of ours is under this
// one.
func (o *owners) astray(ours map[string]bool) {
	byPrefix := map[string][]string{}
	for c := range o.wanted() {
		if c.InUse == nil || ours[c.Name] {
			continue
		}
		if is := c.InUse.SecretName(); is != "" && is != o.SecretPrefix+c.Name {
			o.told[c.Name] = true
			byPrefix[strings.TrimSuffix(is, c.Name)] = append(byPrefix[strings.TrimSuffix(is, c.Name)], is)
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(byPrefix)) {
		names := byPrefix[prefix]
		o.say("secrets", "", Fail, "%d certificates are in use in secrets that aren't below %s: %s. Nothing is issued in their place. Set the prefix to %q again (secret_prefix, CERTPACE_SECRET_PREFIX), "+
			"or move each: `certpace adopt NAME --secret %sNAME`", len(names), o.SecretPrefix, some(names), prefix, prefix)
	}
}

func (o *owners) sayUnknown() {
	if len(o.unknown) > 0 {
		o.say("secrets", "", Warn, "%d secrets are this deployment's, and the table doesn't have them: %s. Nobody renews them. `certpace adopt --from-secrets` enters them; what nobody reads may be deleted",
			len(o.unknown), some(o.unknown))
	}
}

// accounts says which ACME accounts another deployment has: without its account the worker orders
// nothing at that CA.
func (o *owners) accounts(ctx context.Context) {
	for a, err := range o.Secrets.EachAccount(ctx) {
		if err != nil {
			o.say("secrets", "", Fail, "%v", err)
			return
		}
		if a.Deployment != "" && a.Deployment != o.Deployment {
			o.say("secrets", a.Name, Fail, "the ACME account in %s belongs to the deployment %q: the worker of %q can order nothing with it. %s", a.Name, a.Deployment, o.Deployment, takeOver(a.Deployment))
		}
	}
}
