package fleetfile

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/certpace/certpace/internal/inventory"
)

var (
	profilePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9\-_.]{0,63}$`)
	chainPattern    = regexp.MustCompile(`^[^\pC]{1,200}$`)
	providerPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	zonePattern     = regexp.MustCompile(`^Z[A-Z0-9]{1,31}$`)
	externalPattern = regexp.MustCompile(`^[\w+=,.@:/-]{2,1000}[\w+=,.@:/-]{0,224}$`)
	rolePattern     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}$`)
)

// matching reads text that must have a form.
func (r *reader) matching(to *string, form *regexp.Regexp, fix string) field {
	return func(at place, n ast.Node) {
		s, ok := r.filled(at, n)
		if !ok {
			return
		}
		if !form.MatchString(s) {
			r.fault(at, "%.140q is not understood; %s", s, fix)
			return
		}
		*to = s
	}
}

func (r *reader) profile(to *string) field {
	return r.matching(to, profilePattern, "a profile's name has letters, digits, '-', '_' and '.', at most 64 characters")
}

func (r *reader) chain(to *string) field {
	return r.matching(to, chainPattern, "write the issuer's common name, at most 200 characters on one line")
}

func (r *reader) directory(to *string) field {
	return func(at place, n ast.Node) {
		s, ok := r.filled(at, n)
		if !ok {
			return
		}
		if fault := directoryFault(s); fault != "" {
			r.fault(at, "%.200q %s; write the CA's https:// directory URL", s, fault)
			return
		}
		*to = s
	}
}

func directoryFault(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || strings.ContainsAny(s, " \t\r\n"):
		return "is no URL"
	case u.Scheme != "https":
		return "is no https URL"
	case u.Hostname() == "":
		return "names no host"
	case u.User != nil:
		return "carries a user name, which would end up in logs"
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "carries a fragment"
	}
	return ""
}

func (r *reader) dns(to *inventory.DNS) field {
	return func(at place, n ast.Node) {
		r.object(at, n, map[string]field{
			"provider":    r.matching(&to.Provider, providerPattern, "write route53, or the code of one of lego's providers"),
			"zone_id":     r.zone(&to.ZoneID),
			"role_arn":    r.matching(&to.RoleARN, rolePattern, "write a role's ARN, such as arn:aws:iam::123456789012:role/dns"),
			"external_id": r.matching(&to.ExternalID, externalPattern, "write what the role's trust policy has in sts:ExternalId: 2 to 1224 letters, digits and _+=,.@:/-"),
		})
		if to.ExternalID != "" && to.RoleARN == "" {
			r.fault(at.on(lineOf(fieldOf(n, "external_id"))).child("external_id"), "is given to a role, and there is none; name it in role_arn, or remove external_id")
		}
		if to.Provider != "" && to.Provider != "route53" {
			r.route53Only(at, n, "zone_id", to.ZoneID, to.Provider)
			r.route53Only(at, n, "role_arn", to.RoleARN, to.Provider)
			r.route53Only(at, n, "external_id", to.ExternalID, to.Provider)
		}
	}
}

func (r *reader) route53Only(at place, n ast.Node, name, value, provider string) {
	if value != "" {
		r.fault(at.on(lineOf(fieldOf(n, name))).child(name), "is used by route53 only; remove it, or the provider %q", provider)
	}
}

func (r *reader) zone(to *string) field {
	return func(at place, n ast.Node) {
		s, ok := r.filled(at, n)
		if !ok {
			return
		}
		if bare, found := strings.CutPrefix(s, "/hostedzone/"); found && zonePattern.MatchString(bare) {
			r.fault(at, "%.80q is a zone's path; write its id alone: %q", s, bare)
			return
		}
		if !zonePattern.MatchString(s) {
			r.fault(at, "%.80q is no Route 53 zone's id; write one such as Z0123456789ABC", s)
			return
		}
		*to = s
	}
}

func (r *reader) secret(to *inventory.Secret) field {
	return func(at place, n ast.Node) {
		r.object(at, n, map[string]field{
			"kms_key_id": r.kmsKey(&to.KMSKeyID),
			"replicas":   r.replicas(&to.Replicas),
			"tags":       r.tags(&to.Tags),
		})
		if len(to.Replicas) > 0 && to.KMSKeyID != "" && !everyRegion(to.KMSKeyID) {
			at := at.child("kms_key_id").on(lineOf(fieldOf(n, "kms_key_id")))
			r.fault(at, "is a key of one region, and replicas asks for others; use a multi-Region key (mrk-…), or an alias that each region has")
		}
	}
}

func (r *reader) replicas(to *[]string) field {
	return func(at place, n ast.Node) {
		r.list(at, n, "regions", func(at place, n ast.Node) {
			s, ok := r.text(at, n)
			switch {
			case !ok:
			case !regionPattern.MatchString(s):
				r.fault(at, "%.40q is no AWS region; write one such as eu-central-1", s)
			case slices.Contains(*to, s):
				r.fault(at, "%q is there twice; remove one", s)
			default:
				*to = append(*to, s)
			}
		})
	}
}
