package ca

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func rawURL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jws(protected, payload string) []byte {
	body, err := json.Marshal(map[string]string{
		"protected": rawURL([]byte(protected)), "payload": rawURL([]byte(payload)), "signature": "AA",
	})
	if err != nil {
		panic(err)
	}
	return body
}

func TestOptions(t *testing.T) {
	for name, row := range map[string]struct {
		options Options
		want    string
	}{
		"without a resolver nothing could be validated": {Options{}, "Resolver is empty"},
		"reuse is a percentage":                         {Options{Resolver: "127.0.0.1:1", AuthzReuse: 101}, "AuthzReuse is 101"},
		"rejection is a percentage":                     {Options{Resolver: "127.0.0.1:1", NonceReject: -1}, "NonceReject is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Start(t.Context(), row.options); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	before := len(lab.Requests())
	if err := lab.Healthy(t.Context()); err != nil {
		t.Fatal(err)
	}
	lab.pebble.mu.Lock() // as when a handler inside never returns
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := lab.Healthy(ctx)
	lab.pebble.mu.Unlock()
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a CA that hangs is healthy: %v", err)
	}
	if len(lab.Requests()) != before {
		t.Error("health checks are in the record")
	}
}

// TestOtherSettings runs itself in a process of its own, whose CA is made with those settings.
func TestOtherSettings(t *testing.T) {
	if os.Getenv(chaosVariable) != "" {
		testChaos(t)
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^TestOtherSettings$", "-test.v")
	command.Env = append(os.Environ(), chaosVariable+"=1")
	output, err := command.CombinedOutput()
	if err != nil || bytes.Count(output, []byte("--- PASS: TestOtherSettings/")) != 3 {
		t.Fatalf("%v\n%s", err, output)
	}
}

func testChaos(t *testing.T) {
	c, name := newClient(t), site(t, "chaos")
	t.Run("refused nonces are many and a client that signs again gets its certificate", func(t *testing.T) {
		refused := 0
		for range 5 {
			c.obtain(t, nil, name, "www."+name)
		}
		for _, r := range lab.Requests() {
			if r.Status == http.StatusBadRequest {
				refused++
			}
		}
		if refused == 0 {
			t.Error("no nonce was refused")
		}
	})
	t.Run("a valid authorization always serves the next order", func(t *testing.T) {
		proofs := len(c.mine(KindChallenge))
		c.obtain(t, nil, name)
		if got := len(c.mine(KindChallenge)); got != proofs {
			t.Errorf("%d more challenges, want none", got-proofs)
		}
	})
	t.Run("a pending order is not handed out again where that was not asked for", func(t *testing.T) {
		fresh := "fresh." + name
		first, second := c.order(t, nil, fresh), c.order(t, nil, fresh)
		if first.Location == second.Location {
			t.Error("it was")
		}
	})
}

func TestClassifying(t *testing.T) {
	for path, want := range map[string]Kind{
		"/dir": KindDirectory, "/nonce-plz": KindNewNonce, "/sign-me-up": KindNewAccount, "/order-plz": KindNewOrder,
		"/revoke-cert": KindRevoke, "/rollover-account-key": KindKeyChange, "/my-account/1": KindAccount,
		"/list-orderz/1": KindAccountOrders, "/my-order/1": KindOrder, "/finalize-order/1": KindFinalize,
		"/authZ/1": KindAuthorization, "/chalZ/1": KindChallenge, "/certZ/1/alternate/1": KindCertificate,
		"/draft-ietf-acme-ari-03/renewalInfo/a.b": KindRenewalInfo, "/my-order/": KindOther, "/": KindOther, "": KindOther,
	} {
		if got, _ := classify(path); got != want {
			t.Errorf("%q is %s, want %s", path, got, want)
		}
	}
}

func TestNewOrderPayloads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOf(rapid.StringMatching(`[a-zA-Z0-9.*-]{1,12}`)).Draw(t, "names")
		identifiers := make([]map[string]string, 0, len(names))
		lower := make([]string, 0, len(names))
		for _, name := range names {
			identifiers = append(identifiers, map[string]string{"type": "dns", "value": name})
			lower = append(lower, strings.ToLower(name))
		}
		payload, err := json.Marshal(map[string]any{"identifiers": identifiers, "profile": "p", "replaces": "a.b"})
		if err != nil {
			t.Fatal(err)
		}
		hr := httptest.NewRequest(http.MethodPost, "https://127.0.0.1:1/order-plz", nil)
		r := newRequest(hr, jws(`{"kid":"https://127.0.0.1:1/my-account/9"}`, string(payload)), time.Unix(0, 0))
		slices.Sort(lower)
		if !slices.Equal(r.Names, slices.Compact(lower)) || r.Profile != "p" || r.Replaces != "a.b" || lastSegment(r.Account) != "9" {
			t.Fatalf("read as %+v", r)
		}
	})
}

func FuzzNewRequest(f *testing.F) {
	f.Add([]byte(healthJWS))
	f.Add(jws(`{"kid":"k"}`, `{"identifiers":[{"type":"dns","value":"A.example.com"}],"replaces":"x.y"}`))
	f.Add(jws(`{}`, `null`))
	f.Add([]byte(`{"protected":"!"}`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		hr := httptest.NewRequest(http.MethodPost, "https://127.0.0.1:1/order-plz", nil)
		r := newRequest(hr, body, time.Unix(0, 0))
		if r.Kind != KindNewOrder || !slices.IsSorted(r.Names) {
			t.Fatalf("read as %+v", r)
		}
		if _, err := decodeJWS(body); err != nil && (r.Account != "" || r.Names != nil) {
			t.Fatalf("not a JWS, read as %+v", r)
		}
	})
}
