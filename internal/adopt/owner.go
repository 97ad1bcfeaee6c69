package adopt

import (
	"context"
	"fmt"

	"github.com/certpace/certpace/internal/vault"
)

// anothers says whether a secret that names owner belongs to another deployment. One that names
// none is ours once the table knows it.
func (a *Adopter) anothers(owner string) bool { return owner != "" && owner != a.Deployment }

// reads says whether a rebuild reads a secret at all.
func (a *Adopter) reads(l vault.Listed) bool {
	return l.Ours && (a.TakeOver || !a.anothers(l.Deployment))
}

// unread says why a rebuild doesn't read a secret.
func (a *Adopter) unread(l vault.Listed) string {
	if !l.Ours {
		return "has no tag of certpace's, so it was not read"
	}
	return fmt.Sprintf("belongs to the deployment %q, so it was not read; where that is gone, --take-over takes it over", l.Deployment)
}

// takeAccounts lists the secrets of accounts that are another deployment's and, where that is asked
// for, takes them over: a worker that isn't let into its account can't renew anything.
func (a *Adopter) takeAccounts(ctx context.Context, dryRun bool) (names []string, err error) {
	for x, err := range a.Shelf.EachAccount(ctx) {
		if err != nil {
			return names, err
		}
		if !a.anothers(x.Deployment) {
			continue
		}
		names = append(names, x.Name)
		if !a.TakeOver || dryRun {
			continue
		}
		if err := a.Shelf.Claim(ctx, x.ARN); err != nil {
			return names, fmt.Errorf("taking over the account in %s: %w", x.Name, err)
		}
	}
	return names, nil
}
