package app

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// somePEM is a root of nobody's.
const somePEM = `-----BEGIN CERTIFICATE-----
MIIBgjCCASmgAwIBAgIUZMEz3iFb2gKuxc6a79NegE7IVpwwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLVGVzdCBpc3N1ZXIwIBcNMjYxMTMwMjMzMDU0WhgPMjEyNjEx
MDYyMzMwNTRaMBYxFDASBgNVBAMMC1Rlc3QgaXNzdWVyMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE3LyovylWOBqTOF/YmyvSAgNhcGY9zJIqUz7kPtEDCaV27G2F
k10C28s+83615wyN6z1OA8e9QqxYNICuEdKhSqNTMFEwHQYDVR0OBBYEFD/w5+tC
sSA+2Kj4rjjfEKBfPOYcMB8GA1UdIwQYMBaAFD/w5+tCsSA+2Kj4rjjfEKBfPOYc
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgG2Trw2TzRK9aae0P
S005N70fkTOTiCtZHSPgjg7MxvoCIAheKCyfPy0R3s7o7LJoMj6/nV9KOtJiQpnW
/hTyCh1G
-----END CERTIFICATE-----
`

func environ(more ...string) []string {
	return append([]string{
		"CERTPACE_TABLE=certpace", "CERTPACE_QUEUE_URL=https://sqs.eu-central-1.amazonaws.com/1/jobs",
		"CERTPACE_ACME_DIRECTORY=https://acme-v02.api.letsencrypt.org/directory", "AWS_REGION=eu-central-1",
	}, more...)
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, []byte(somePEM), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("what isn't given has the documented default", func(t *testing.T) {
		c, err := Load(environ(), Functions)
		if err != nil {
			t.Fatal(err)
		}
		if c.SecretPrefix != "certpace/" || c.Rate != 5 || c.DNSProvider != "route53" || c.EventBus != "default" || c.Resolvers != nil || c.CABundle != nil {
			t.Errorf("defaults: %+v", c)
		}
	})
	t.Run("an empty value counts as not given", func(t *testing.T) {
		if c, err := Load(environ("CERTPACE_ACME_RATE="), Functions); err != nil || c.Rate != 5 {
			t.Errorf("rate %v, %v", c.Rate, err)
		}
	})
	t.Run("the CA bundle is text or a file", func(t *testing.T) {
		for _, v := range []string{somePEM, file} {
			if c, err := Load(environ("CERTPACE_ACME_CA_BUNDLE="+v), Functions); err != nil || string(c.CABundle) != somePEM {
				t.Errorf("%q: %q, %v", v, c.CABundle, err)
			}
		}
	})
	t.Run("in every form that people have it in", func(t *testing.T) {
		for _, v := range []string{"\ufeff" + somePEM, strings.ReplaceAll(somePEM, "\n", `\n`), strings.ReplaceAll(somePEM, "\n", " "), base64.StdEncoding.EncodeToString([]byte(somePEM))} {
			if c, err := Load(environ("CERTPACE_ACME_CA_BUNDLE="+v), Functions); err != nil || string(c.CABundle) != somePEM {
				t.Errorf("%q: %q, %v", v, c.CABundle, err)
			}
		}
		joined := strings.TrimSpace(somePEM) + somePEM
		if c, err := Load(environ("CERTPACE_ACME_CA_BUNDLE="+joined), Functions); err != nil || string(c.CABundle) != somePEM+somePEM {
			t.Errorf("joined: %q, %v", c.CABundle, err)
		}
	})
	t.Run("what can't be read in the CA bundle is named", func(t *testing.T) {
		for v, says := range map[string]string{
			somePEM + "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n": "it holds a certificate, and its content is damaged (block 2 of 2)",
			somePEM + somePEM[:200]:                             "it holds a certificate without its -----END line",
			strings.ReplaceAll(somePEM, "CERTIFICATE", "PKCS7"): "it is PKCS#7",
		} {
			if _, err := Load(environ("CERTPACE_ACME_CA_BUNDLE="+v), Functions); err == nil || !strings.Contains(err.Error(), "CERTPACE_ACME_CA_BUNDLE: reading the CA's certificates: ") || !strings.Contains(err.Error(), says) {
				t.Errorf("%q: %v", v, err)
			}
		}
	})
	t.Run("resolvers are split", func(t *testing.T) {
		c, err := Load(environ("CERTPACE_DNS_RESOLVERS=10.0.0.2:53, [::1]:5353"), Functions)
		if err != nil || strings.Join(c.Resolvers, " ") != "10.0.0.2:53 [::1]:5353" {
			t.Errorf("%q, %v", c.Resolvers, err)
		}
	})
	t.Run("a verb that needs only the table asks for nothing else", func(t *testing.T) {
		if _, err := Load([]string{"CERTPACE_TABLE=certpace"}, Need{"TABLE"}); err != nil {
			t.Error(err)
		}
	})
}

func TestLoadTellsAllFaultsAtOnce(t *testing.T) {
	_, err := Load([]string{
		"CERTPACE_QUEUE_URL=jobs", "CERTPACE_ACME_DIRECTORY=http://ca.example/dir", "CERTPACE_ACME_RATE=fast", "CERTPACE_ACME_EMAIL=nobody",
		"CERTPACE_ACME_CA_BUNDLE=/no/such/file", "CERTPACE_DNS_RESOLVERS=10.0.0.2", "CERTPACE_TABEL=certpace",
	}, Functions)
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, name := range []string{"TABLE: missing", "QUEUE_URL:", "ACME_DIRECTORY:", "ACME_RATE:", "ACME_EMAIL:", "ACME_CA_BUNDLE:", "DNS_RESOLVERS:", "TABEL: unknown"} {
		found := 0
		for _, l := range lines {
			if strings.HasPrefix(l, "CERTPACE_"+name) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s is told in %d lines of:\n%s", name, found, err)
		}
	}
	if len(lines) != 8 {
		t.Errorf("%d lines for 8 faults:\n%s", len(lines), err)
	}
}
