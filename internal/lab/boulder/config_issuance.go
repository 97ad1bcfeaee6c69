package boulder

import (
	"fmt"
	"time"
)

// profile is a kind of certificate, with Let's Encrypt's lifetimes of November 2026 (docs/limits.md,
// section 5).
type profile struct {
	name     string
	lifetime time.Duration
	short    bool // without what browsers no longer need
	pending  time.Duration
	valid    time.Duration // 0: the default profile's, which is an option
	order    time.Duration
	names    int
}

// defaultProfile is that of an order which names none.
const defaultProfile = "classic"

var issued = []profile{
	{name: defaultProfile, lifetime: 90 * 24 * time.Hour, pending: 168 * time.Hour, order: 168 * time.Hour, names: 100},
	{name: "tlsserver", lifetime: 45 * 24 * time.Hour, short: true, pending: time.Hour, valid: 7 * time.Hour, order: 8 * time.Hour, names: 25},
	{name: "shortlived", lifetime: 160 * time.Hour, short: true, pending: time.Hour, valid: 7 * time.Hour, order: 8 * time.Hour, names: 25},
}

// ignoredLints are those that the profiles of Let's Encrypt break on purpose.
var ignoredLints = []string{
	"w_subject_common_name_included", "w_ext_subject_key_identifier_not_recommended_subscriber", "w_ext_subject_key_identifier_missing_sub_cert",
}

func (p profile) certificate() object {
	return object{
		"omitCommonName": p.short, "omitKeyEncipherment": p.short, "omitSKID": p.short,
		"maxValidityPeriod": p.lifetime.String(), "maxValidityBackdate": "1h5m", "ignoredLints": ignoredLints,
	}
}

func (p profile) validation(valid time.Duration) object {
	if p.valid != 0 {
		valid = p.valid
	}
	return object{
		"pendingAuthzLifetime": p.pending.String(), "validAuthzLifetime": valid.String(), "orderLifetime": p.order.String(),
		"maxNames": p.names, "identifierTypes": []string{"dns"},
	}
}

// ca signs with keys in files, where a CA in production has an HSM.
func (c config) ca() object {
	profiles, names := object{}, []string{}
	for _, p := range issued {
		profiles[p.name], names = p.certificate(), append(names, p.name)
	}
	var issuers []any
	for n, name := range []string{byRSA, byECDSA} {
		issuers = append(issuers, object{
			"profiles": names, "crlShards": 10, "issuerURL": "http://ca.certpace-lab.com/" + name,
			"crlURLBase": fmt.Sprintf("http://crl.certpace-lab.com/%d/", n),
			"location":   object{"file": c.path(name + ".key.pem"), "certFile": c.path(name + ".cert.pem")},
		})
	}
	return object{
		"tls": c.tls("ca"), "hostnamePolicyFile": c.path("policy.yml"), "sctService": c.to("ra-sct", "ra"), "saService": c.to("sa", "sa"),
		"grpcCA":          c.grpc("ca", map[string][]string{"ca.CertificateAuthority": {"ra"}}),
		"serialPrefixHex": "6e", "goodkey": object{}, "ctLogListFile": c.path("loglist.json"), "features": object{},
		"issuance": object{
			"certProfiles": profiles, "issuers": issuers,
			"crlProfile": object{"validityInterval": "216h", "maxBackdate": "1h5m"},
		},
	}
}

// ra is of the registration authority, and of the second one that only fetches the timestamps of CT
// logs for the CA: the CA in production has two, so that neither waits for the other.
func (c config) ra(part string) object {
	profiles := object{}
	for _, p := range issued {
		profiles[p.name] = p.validation(c.validAuthz)
	}
	logs := []string{logOf("A"), logOf("B")}
	return object{
		"limiter": c.limiter(), "hostnamePolicyFile": c.path("policy.yml"), "goodkey": object{}, "finalizeTimeout": "30s",
		"issuerCerts":        []string{c.path(byRSA + ".cert.pem"), c.path(byECDSA + ".cert.pem")},
		"defaultProfileName": defaultProfile, "validationProfiles": profiles, "tls": c.tls("ra"),
		"vaService": c.to("va", "va"), "caService": c.to("ca", "ca"), "publisherService": c.to("publisher", "publisher"), "saService": c.to("sa", "sa"),
		"grpc":     c.grpc(part, map[string][]string{"ra.RegistrationAuthority": {"wfe", "sfe"}, "ra.SCTProvider": {"ca"}}),
		"features": object{"AutomaticallyPauseZombieClients": true, "AsyncFinalize": true, "CAARechecksFailOrder": true},
		"ctLogs":   object{"stagger": "500ms", "logListFile": c.path("loglist.json"), "sctLogs": logs, "finalLogs": logs},
	}
}

// hostnamePolicy blocks what nobody can own, and one name more, so that a refusal can be tried.
const hostnamePolicy = `HighRiskBlockedNames: [invalid, test, localhost, example]
ExactBlockedNames: [blocked.certpace-lab.com]
`
