package boulder

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
)

// ctLogs are two logs of two operators (RFC 6962): a certificate needs a timestamp of each. Nobody
// waits for them to publish anything.
func (f files) ctLogs(p ports) error {
	var personalities, operators []any
	for _, l := range []struct{ operator, part string }{{"A", "ct"}, {"B", "ct-b"}} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("making a CT log: %w", err)
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return fmt.Errorf("making a CT log: %w", err)
		}
		secret, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return fmt.Errorf("making a CT log: %w", err)
		}
		personalities = append(personalities, object{"UserAgent": userAgent, "Addr": p.addr(l.part), "PrivKey": base64.StdEncoding.EncodeToString(secret)})
		operators = append(operators, operator(l.operator, "http://"+p.addr(l.part), public))
	}
	if err := f.writeJSON("ct.json", object{"Personalities": personalities}); err != nil {
		return err
	}
	return f.writeJSON("loglist.json", object{"version": "0.1", "log_list_timestamp": "1970-01-01T00:00:01Z", "operators": operators})
}

// operator is one with one log, as the list of CT logs that browsers use has it (version 3).
func operator(name, url string, publicKey []byte) object {
	id := sha256.Sum256(publicKey)
	return object{"name": "Operator " + name, "email": []string{"nobody@certpace-lab.com"}, "logs": []any{object{
		"description": logOf(name), "log_id": base64.StdEncoding.EncodeToString(id[:]), "key": base64.StdEncoding.EncodeToString(publicKey),
		"url": url, "mmd": 86400,
		"temporal_interval": object{"start_inclusive": "1970-01-01T00:00:00Z", "end_exclusive": "2070-01-01T00:00:00Z"},
		"state":             object{"usable": object{"timestamp": "2000-01-01T00:00:00Z"}},
	}}}
}

func logOf(operator string) string { return operator + "1" }
