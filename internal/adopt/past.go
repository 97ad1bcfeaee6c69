package adopt

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/fleetfile"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/suffix"
)

// past is a certificate that was issued.
type past struct {
	bundle.Bundle
	by verdict // whether the CA of its directory issued it
}

// verdict says whether something is so.
type verdict int

const (
	unknown verdict = iota
	yes
	no
)

// past says what is known of where b comes from: certpace's own issuances name their account; of others, what the operator said or what
// the issuer's name tells.
func (t *take) past(b bundle.Bundle) past {
	p := pastOf(b)
	if p.by == unknown && t.IssuedBy != "" && t.IssuedBy == b.Directory {
		p.by = yes
	}
	return p
}

func pastOf(b bundle.Bundle) past {
	if b.Account != "" {
		return past{b, yes}
	}
	return past{b, issuedBy(b.Directory, b.Certificate)}
}

// issuedBy says whether the CA of a directory issued a certificate, by the name of the issuer. Only Let's Encrypt's are known here.
func issuedBy(directory, leaf string) verdict {
	u, err := url.Parse(directory)
	if err != nil || !strings.HasSuffix(strings.ToLower(u.Hostname()), ".api.letsencrypt.org") {
		return unknown
	}
	block, _ := pem.Decode([]byte(leaf))
	if block == nil {
		return unknown
	}
	c, err := bundle.ParseCertificate(block.Bytes)
	if err != nil {
		return unknown
	}
	want := "Let's Encrypt"
	if bundle.Staging(directory) {
		want = "(STAGING) " + want
	}
	if slices.Contains(c.Issuer.Organization, want) {
		return yes
	}
	return no
}

// remember lets orders for the same names be renewals, where the CA surely knows them. NotBefore is never later than what the CA has.
func (a *Adopter) remember(ctx context.Context, p past, now time.Time) error {
	if p.by != yes || !p.NotBefore.Add(budget.SetMemory).After(now) {
		return nil
	}
	host, err := budget.CAHost(p.Directory)
	if err != nil {
		return err
	}
	if err := a.Sets.RememberSet(ctx, host, budget.SetHash(p.Domains), p.NotBefore); err != nil {
		return fmt.Errorf("remembering when these names were issued: %w", err)
	}
	return nil
}

// issued is p as budgets see it. An issuance of certpace's own was ordered by the shard's account.
func (a *Adopter) issued(p past) (budget.Issued, error) {
	host, err := budget.CAHost(p.Directory)
	if err != nil {
		return budget.Issued{}, err
	}
	i := budget.Issued{CA: host, Names: p.Domains, RegisteredDomains: suffix.RegisteredDomains(p.Domains), At: p.IssuedAt}
	if p.Account != "" {
		i.Account = a.Shard
	}
	return i, nil
}

// count takes what the CA may have counted for one certificate, unless another CA issued it.
func (a *Adopter) count(ctx context.Context, p past, now time.Time) error {
	if p.by == no {
		return nil
	}
	i, err := a.issued(p)
	if err != nil {
		return err
	}
	limits, err := a.Budgets.Limits(ctx, p.Directory)
	if err != nil {
		return fmt.Errorf("reading the limits of %s: %w", i.CA, err)
	}
	needs := map[budget.Key]budget.Need{}
	for _, n := range i.Needs(limits) {
		needs[n.Key] = n
	}
	return a.move(ctx, budget.Keys(i.Needs(limits)), func(k budget.Key, b budget.Bucket) budget.Bucket {
		return i.Count(needs[k], b, now)
	})
}

// recount brings the budgets down to what the certificates tell that the CAs counted. It returns how many buckets moved; none is ever fuller
// by it, and the same certificates move none again.
func (a *Adopter) recount(ctx context.Context, all []past, now time.Time, dry bool) (moved int, err error) {
	byCA, directory := map[string][]budget.Issued{}, map[string]string{}
	for _, p := range all {
		if p.by == no {
			continue
		}
		i, err := a.issued(p)
		if err != nil {
			return 0, err
		}
		byCA[i.CA] = append(byCA[i.CA], i)
		directory[i.CA] = p.Directory
	}
	counted := map[budget.Key]budget.Bucket{}
	for host, issued := range byCA {
		limits, err := a.Budgets.Limits(ctx, directory[host])
		if err != nil {
			return 0, fmt.Errorf("reading the limits of %s: %w", host, err)
		}
		for k, b := range budget.Recount(limits, issued, now) {
			counted[k] = b
		}
	}
	keys := make([]budget.Key, 0, len(counted))
	for k := range counted {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b budget.Key) int { return strings.Compare(a.String(), b.String()) })
	if dry {
		return len(keys), nil
	}
	for part := range slices.Chunk(keys, 100) {
		err := a.move(ctx, part, func(k budget.Key, b budget.Bucket) budget.Bucket {
			after := budget.Stricter(b, counted[k])
			if !after.Equal(b) {
				moved++
			}
			return after
		})
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// moveTries bounds how often a race for a bucket is run again.
const moveTries = 5

// move changes buckets, each read anew where somebody else was faster.
func (a *Adopter) move(ctx context.Context, keys []budget.Key, change func(budget.Key, budget.Bucket) budget.Bucket) error {
	var err error
	for range moveTries {
		var have map[budget.Key]budget.Bucket
		if have, err = a.Budgets.Buckets(ctx, keys); err != nil {
			return fmt.Errorf("reading the budgets: %w", err)
		}
		var writes []budget.Write
		for _, k := range keys {
			if after := change(k, have[k]); !after.Equal(have[k]) {
				writes = append(writes, budget.Write{Key: k, Read: have[k], New: after})
			}
		}
		if len(writes) == 0 {
			return nil
		}
		if err = a.Budgets.MoveBuckets(ctx, writes); !errors.Is(err, renew.ErrRaced) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("counting what was issued: %w", err)
	}
	return nil
}

// wantedOf is what is wanted from now on of a certificate that nobody asked for in a fleet file: what it is. The rules are those of the
// fleet file.
func wantedOf(name string, b bundle.Bundle, directory string) (inventory.Wanted, error) {
	type entry struct {
		Name      string            `json:"name"`
		Domains   []string          `json:"domains"`
		KeyType   inventory.KeyType `json:"key_type"`
		Directory string            `json:"acme_directory"`
		Profile   string            `json:"profile,omitempty"`
	}
	file, err := json.Marshal(map[string][]entry{"certificates": {{name, b.Domains, b.KeyType, directory, b.Profile}}})
	if err != nil {
		return inventory.Wanted{}, fmt.Errorf("writing its entry: %w", err)
	}
	entries, faults := fleetfile.Parse(file, fleetfile.Defaults{Directory: directory})
	if len(faults) > 0 {
		var all []error
		for _, f := range faults {
			_, path, _ := strings.Cut(f.Path, ": ")
			all = append(all, errors.New(strings.TrimPrefix(path+": "+f.Message, ": ")))
		}
		return inventory.Wanted{}, errors.Join(all...)
	}
	return entries[0].Wanted, nil
}
