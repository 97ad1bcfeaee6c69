package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

// cas reads the directory of each CA that may be asked, the second ones' too, and whether it offers the profiles that are asked for there.
func (v *visit) cas(ctx context.Context) {
	profiles := map[string]map[string][]string{} // by directory and profile, who asks for it
	if v.Default != "" && v.asked == nil {
		profiles[v.Default] = map[string][]string{}
	}
	for c := range v.wanted() {
		for _, w := range atEach(c.Wanted) {
			if profiles[w.Directory] == nil {
				profiles[w.Directory] = map[string][]string{}
			}
			profiles[w.Directory][w.Profile] = append(profiles[w.Directory][w.Profile], c.Name)
		}
	}
	for _, directory := range slices.Sorted(maps.Keys(profiles)) {
		got, err := v.CAs.Describe(ctx, directory)
		if err != nil {
			v.say("ca", directory, Fail, "%v", err)
			continue
		}
		v.known[directory] = got
		refused := false
		for _, p := range slices.Sorted(maps.Keys(profiles[directory])) {
			if p == "" || slices.Contains(got.Profiles, p) {
				continue
			}
			refused = true
			v.say("ca", directory, Fail, "it offers no profile %q, which is asked for by %s; %s", p, some(profiles[directory][p]), offers(got.Profiles))
		}
		switch {
		case refused:
		case got.Bound:
			v.say("ca", directory, OK, "it answers; %s; an account must be bound to one of yours there (the secret `eab`)", offers(got.Profiles))
		default:
			v.say("ca", directory, OK, "it answers; %s", offers(got.Profiles))
		}
	}
}

func offers(profiles []string) string {
	if len(profiles) == 0 {
		return "it has no profiles"
	}
	return "its profiles are " + strings.Join(profiles, ", ")
}

// dns looks for the zones and the CAA records of certificates, as the worker does before an order, for the second CA too.
func (v *visit) dns(ctx context.Context, names []string) {
	for _, name := range names {
		at := slices.IndexFunc(v.fleet, func(c inventory.Certificate) bool { return c.Name == name })
		if at < 0 {
			v.say("dns", name, Fail, "there is no certificate of that name")
			continue
		}
		w := v.fleet[at].Wanted
		v.zones(ctx, name, w)
		for _, w := range atEach(w) {
			v.caa(ctx, name, w)
		}
	}
}

// atEach is what is wanted as each CA that may be asked is asked for it.
func atEach(w inventory.Wanted) []inventory.Wanted {
	if w.Fallback == nil {
		return []inventory.Wanted{w}
	}
	return []inventory.Wanted{w, w.AtFallback()}
}

func (v *visit) zones(ctx context.Context, name string, w inventory.Wanted) {
	records, err := v.DNS.Locate(ctx, w.DNS, renew.Unasked(w.Domains))
	if err != nil {
		v.say("dns", name, Fail, "%v", err)
		return
	}
	places := map[string]bool{}
	for _, r := range records {
		places[place(r)] = true
	}
	v.say("dns", name, OK, "its %d names can be proved in %s", len(w.Domains), strings.Join(slices.Sorted(maps.Keys(places)), ", "))
}

// place is where a value would be written.
func place(r renew.Record) string {
	if r.ZoneID == "" {
		return r.Provider
	}
	return r.Provider + " zone " + r.ZoneID
}

func (v *visit) caa(ctx context.Context, name string, w inventory.Wanted) {
	ca, known := v.known[w.Directory]
	switch {
	case !known: // said already
	case len(ca.Identities) == 0:
		v.say("caa", name, OK, "%s doesn't say by which domain CAA records mean it", w.Directory)
	default:
		if err := v.DNS.Permit(ctx, w.Domains, ca.Identities); err != nil {
			v.say("caa", name, Fail, "%s: %v", w.Directory, err)
			return
		}
		v.say("caa", name, OK, "no CAA record keeps %s from issuing", w.Directory)
	}
}
