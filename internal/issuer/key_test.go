package issuer

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
)

func storedKey(t *testing.T, kind inventory.KeyType) string {
	t.Helper()
	key, err := bundle.NewKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bundle.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStoredKeyKinds(t *testing.T) {
	for _, kind := range []inventory.KeyType{inventory.EC256, inventory.EC384, inventory.RSA2048} {
		if _, err := signingKey(storedKey(t, kind)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	ed25519 := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIFX2GUJUbY6eVDu1iXGRCXR3pUB4+QIgBkVHQAQUaeRb\n-----END PRIVATE KEY-----\n"
	if _, err := signingKey(ed25519); err == nil || strings.Contains(err.Error(), "MC4C") {
		t.Errorf("got %v", err)
	}
}

func TestAccountHidesItsKey(t *testing.T) {
	a := Account{PrivateKey: storedKey(t, inventory.EC256), URL: "https://ca.test/acct/1", Directory: caDirectory}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("opened", "account", a, "pointer", &a)
	slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "account", a)
	secret := strings.Split(a.PrivateKey, "\n")[1]
	for _, text := range []string{fmt.Sprint(a), fmt.Sprintf("%v %+v %#v %s", a, &a, a, a), log.String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, a.URL) {
			t.Error(text)
		}
	}
	if out, err := json.Marshal(a); err != nil || !strings.Contains(string(out), secret) {
		t.Errorf("it can't be stored any more: %v", err)
	}
}

func TestCAHost(t *testing.T) {
	for directory, want := range map[string][2]string{
		"https://acme-v02.api.letsencrypt.org/directory": {"acme-v02.api.letsencrypt.org", "acme-v02.api.letsencrypt.org"},
		"https://ACME.example.com/dir":                   {"acme.example.com", "acme.example.com"},
		"https://127.0.0.1:14000/dir":                    {"127.0.0.1:14000", "127.0.0.1+14000"},
		"https://[::1]:14000/dir":                        {"[::1]:14000", "+++1++14000"},
	} {
		host, err := CAHost(directory)
		if err != nil || host != want[0] || secretName(host) != want[1] {
			t.Errorf("%s: got %s, %s, %v", directory, host, secretName(host), err)
		}
	}
	for _, directory := range []string{"", "http://ca.test/d", "https:///d", "ca.test", "https://user:secret@ca.test/d", "://"} {
		if host, err := CAHost(directory); err == nil {
			t.Errorf("%q: got %s", directory, host)
		}
	}
}
