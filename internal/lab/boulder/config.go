package boulder

import (
	"fmt"
	"time"
)

// object is a JSON object of Boulder's configuration, which is no stable interface: each version
// may want another one (its own examples are in test/config of its source).
type object = map[string]any

// What certificates and records name the CA by.
const (
	caaIdentity = "ca.certpace-lab.com"
	website     = "https://certpace-lab.com/"
	userAgent   = "certpace-lab" // of the CA's own requests; the CT logs take those of no other
)

// config writes one JSON file for each component.
type config struct {
	files
	ports
	validAuthz time.Duration
}

func (c config) writeAll() error {
	for part, content := range map[string]object{
		"sa":        {"sa": c.sa()},
		"publisher": {"publisher": c.publisher()},
		"va":        {"va": c.va()},
		"ca":        {"ca": c.ca(), "pa": policy()},
		"ra":        {"ra": c.ra("ra"), "pa": policy()},
		"ra-sct":    {"ra": c.ra("ra-sct"), "pa": policy()},
		"wfe2":      {"wfe": c.wfe()},
		"sfe":       {"sfe": c.sfe()},
	} {
		content["syslog"] = logging()
		if err := c.writeJSON("config/"+part+".json", content); err != nil {
			return err
		}
	}
	for n := range perspectives {
		part := fmt.Sprintf("rva%d", n)
		if err := c.writeJSON("config/"+part+".json", object{"rva": c.remoteVA(n), "syslog": logging()}); err != nil {
			return err
		}
	}
	return c.writeJSON("config/nonce.json", object{"NonceService": c.nonce()})
}

// logging is to standard output, from level 6 (information) on.
func logging() object { return object{"stdoutlevel": 6, "sysloglevel": -1} }

// policy is which challenges and identifiers there are at all.
func policy() object {
	return object{
		"challenges":  object{"dns-01": true, "http-01": true, "tls-alpn-01": true},
		"identifiers": object{"dns": true, "ip": true},
	}
}

// to is how one part finds another: by its address, where the CA in production asks its DNS.
func (c config) to(part, member string) object {
	return object{"serverAddress": c.addr(part), "timeout": "15s", "hostOverride": hostOf(member)}
}

// grpc is who may call what of a part.
func (c config) grpc(part string, allowed map[string][]string) object {
	services := object{"grpc.health.v1.Health": object{"clientNames": []string{hostOf("front")}}} // it must be there
	for service, members := range allowed {
		var names []string
		for _, m := range members {
			names = append(names, hostOf(m))
		}
		services[service] = object{"clientNames": names}
	}
	return object{"address": c.addr(part), "maxConnectionAge": "30m", "services": services}
}

func (c config) sa() object {
	db := func(secret string, most int) object {
		return object{"dbConnectFile": c.path("secrets", secret), "maxOpenConns": most}
	}
	return object{
		"db": db("sa", 50), "readOnlyDB": db("sa_ro", 50), "incidentsDB": db("incidents", 10), "lagFactor": "200ms",
		"tls": c.tls("sa"), "features": object{},
		"grpc": c.grpc("sa", map[string][]string{
			"sa.StorageAuthority": {"ca", "ra"}, "sa.StorageAuthorityReadOnly": {"wfe", "sfe", "ra"},
		}),
	}
}

func (c config) publisher() object {
	return object{
		"userAgent": userAgent, "chains": c.chainFiles(chains[:2]), "tls": c.tls("publisher"), "features": object{},
		"grpc": c.grpc("publisher", map[string][]string{"Publisher": {"ra"}}),
	}
}

// perspectives are the remote ones. The CA wants two of three to agree with it; each is of another
// registry's region.
var perspectives = []string{"ARIN", "RIPE", "APNIC"}

func (c config) validator(member, part, caller string) object {
	return object{
		"userAgent": userAgent, "dnsTries": 3, "dnsStaticResolvers": []string{c.addr("doh")}, "dnsTimeout": "10s",
		"issuerDomain": caaIdentity, "tls": c.tls(member), "features": object{},
		"accountURIPrefixes": []string{"https://" + c.addr("front") + "/acme/acct/"},
		"grpc":               c.grpc(part, map[string][]string{"va.VA": {caller}, "va.CAA": {caller}}),
	}
}

func (c config) va() object {
	v := c.validator("va", "va", "ra")
	var remotes []any
	for n, region := range perspectives {
		r := c.to(fmt.Sprintf("rva%d", n), "rva")
		r["perspective"], r["rir"] = perspective(n), region
		remotes = append(remotes, r)
	}
	v["remoteVAs"] = remotes
	return v
}

func (c config) remoteVA(n int) object {
	v := c.validator("rva", fmt.Sprintf("rva%d", n), "va")
	v["perspective"], v["rir"] = perspective(n), perspectives[n]
	return v
}

func perspective(n int) string { return fmt.Sprintf("remote-%d", n) }

func (c config) nonce() object {
	return object{
		"maxUsed": 131072, "nonceHMACKey": object{"keyFile": c.path("secrets/nonce")}, "syslog": logging(), "tls": c.tls("nonce"),
		"grpc": c.grpc("nonce", map[string][]string{"nonce.NonceService": {"wfe"}}),
	}
}

// limiter is of the two parts that move buckets: wfe2 at new-order and new-account, ra at the rest.
func (c config) limiter() object {
	return object{
		"redis": object{
			"username": redisUser, "passwordFile": c.path("secrets/redis"), "shardAddrs": object{"shard1": c.addr("redis")},
			"readTimeout": "250ms", "writeTimeout": "250ms", "poolSize": 20, "routeRandomly": true, "tls": c.tls("wfe"),
		},
		"Defaults": c.path("limits.yml"), "Overrides": c.path("overrides.yml"),
	}
}

func (c config) sfe() object {
	return object{
		"listenAddress": c.addr("sfe"), "timeout": "30s", "shutdownStopTimeout": "10s", "tls": c.tls("sfe"), "features": object{},
		"raService": c.to("ra", "ra"), "saService": c.to("sa", "sa"), "unpauseHMACKey": object{"keyFile": c.path("secrets/unpause")},
	}
}

// nonceService is the name whose SRV record says where nonces are redeemed.
const nonceService = "service.certpace-lab"

func (c config) wfe() object {
	public := "https://" + c.addr("front")
	profiles := object{}
	for _, p := range issued {
		profiles[p.name] = website + p.name
	}
	return object{
		"listenAddress": c.addr("wfe2"), "timeout": "30s", "shutdownStopTimeout": "10s", "staleTimeout": "5m", "allowOrigins": []string{"*"},
		"subscriberAgreementURL": public + "/terms/v7", "directoryCAAIdentity": caaIdentity, "directoryWebsite": website,
		"legacyKeyIDPrefix": public + "/reg/", "goodkey": object{}, "tls": c.tls("wfe"), "limiter": c.limiter(),
		"raService": c.to("ra", "ra"), "saService": c.to("sa", "sa"), "getNonceService": c.to("nonce", "nonce"),
		"redeemNonceService": object{
			"dnsAuthority": c.addr("srv"), "srvLookups": []any{object{"service": "nonce", "domain": nonceService}},
			"srvResolver": "nonce-srv-v2", "timeout": "15s", "hostOverride": hostOf("nonce"),
		},
		"nonceHMACKey": object{"keyFile": c.path("secrets/nonce")}, "chains": c.chainFiles(chains),
		"features": object{"CheckIdentifiersPaused": true, "PropagateCancels": true}, "certProfiles": profiles,
		"unpause":                       object{"hmacKey": object{"keyFile": c.path("secrets/unpause")}, "jwtLifetime": "336h", "url": public},
		"maxCumulativeIdentifierLength": 10000, "blockedOnDemandLabels": []string{"www", "asdf"},
	}
}
