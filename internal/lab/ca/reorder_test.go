package ca

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
	"github.com/go-acme/lego/v4/certificate"
	pebbleacme "github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

func TestOrderReuse(t *testing.T) {
	t.Run("a pending order is handed out again to the same account, names and profile", func(t *testing.T) {
		c, a, b := newClient(t), site(t, "a"), site(t, "b")
		first, again := c.order(t, nil, a, b), c.order(t, nil, b, a)
		if again.Location != first.Location || again.Finalize != first.Finalize {
			t.Errorf("got %s, want %s", again.Location, first.Location)
		}
		if orders := c.orders(); len(orders) != 2 || orders[0].Reused || !orders[1].Reused {
			t.Errorf("orders are %+v", orders)
		}
		c.prove(t, again)
		if third := c.order(t, nil, a, b); third.Location != first.Location {
			t.Error("a ready order is not handed out again")
		}
		c.finish(t, again)
	})

	t.Run("other names, another profile or another account get an order of their own", func(t *testing.T) {
		c, name := newClient(t), site(t, "own")
		first := c.order(t, nil, name)
		others := map[string]acme.ExtendedOrder{
			"names":    c.order(t, nil, name, "www."+name),
			"profile":  c.order(t, &api.OrderOptions{Profile: DefaultProfile}, name), // "" and its name differ
			"account":  newClient(t).order(t, nil, name),
			"wildcard": c.order(t, nil, "*."+name),
		}
		for what, other := range others {
			if other.Location == first.Location {
				t.Errorf("another %s got the same order", what)
			}
		}
	})

	t.Run("an earlier valid order hides a later pending one", func(t *testing.T) {
		c, name := newClient(t), site(t, "hidden")
		c.obtain(t, nil, name)
		second, third := c.order(t, nil, name), c.order(t, nil, name)
		if second.Location == third.Location {
			t.Error("the pending order was handed out again")
		}
	})

	t.Run("the order that was not handed out is in no state that a list shows", func(t *testing.T) {
		c, name := newClient(t), site(t, "list")
		c.order(t, nil, name)
		c.order(t, nil, name)
		live := 0
		for _, o := range lab.pebble.db.GetOrdersByAccountID(lastSegment(c.account)) {
			if o.Status != pebbleacme.StatusInvalid {
				live++
			}
		}
		if live != 1 {
			t.Errorf("%d live orders, want 1", live)
		}
	})
}

func TestReplacing(t *testing.T) {
	id := func(t *testing.T, leaf *x509.Certificate) string {
		t.Helper()
		certID, err := certificate.MakeARICertID(leaf)
		if err != nil {
			t.Fatal(err)
		}
		return certID
	}

	t.Run("a second order for the same replacement conflicts while the first is pending", func(t *testing.T) {
		c, name := newClient(t), site(t, "replaced")
		certID := id(t, c.obtain(t, nil, name)[0])
		first := c.order(t, &api.OrderOptions{ReplacesCertID: certID}, name)
		if first.Replaces != certID {
			t.Fatalf("order replaces %q", first.Replaces)
		}
		var statuses []int
		hook(t, lab.OnAfter, func(r Request) Verdict {
			if r.Account == c.account {
				statuses = append(statuses, r.Upstream)
			}
			return Pass()
		})
		second := c.order(t, &api.OrderOptions{ReplacesCertID: certID}, name) // lego orders again without replaces
		if fmt.Sprint(statuses) != "[409 201]" || second.Replaces != "" {
			t.Errorf("statuses %v, second replaces %q", statuses, second.Replaces)
		}
		if requests := c.mine(KindNewOrder); requests[1].Replaces != certID || requests[3].Replaces != "" {
			t.Errorf("recorded as %+v", requests)
		}
	})

	t.Run("a certificate whose serial has a leading zero byte can be replaced once", func(t *testing.T) {
		c, name := newClient(t), site(t, "padded")
		order := c.order(t, nil, name)
		leaf := c.obtain(t, nil, name)[0]
		// Such a serial comes once in 500, so one is put in the certificate's place in Pebble's index.
		serial := []byte{0x00, 0x80, 0, 0, 0, 0, 0, 0}
		rand.Read(serial[2:])
		made := lab.pebble.db.GetOrderByID(lastSegment(order.Location))
		padded := &core.Order{ID: made.ID, AccountID: made.AccountID, CertificateObject: &core.Certificate{ID: hex.EncodeToString(serial[1:])}}
		padded.Identifiers = made.Identifiers
		if err := lab.pebble.db.AddOrderByIssuedSerial(padded); err != nil {
			t.Fatal(err)
		}
		akid, _, _ := strings.Cut(id(t, leaf), ".")
		certID := akid + "." + rawURL(serial)
		if got := c.order(t, &api.OrderOptions{ReplacesCertID: certID}, name); got.Replaces != certID {
			t.Errorf("order replaces %q, want %q", got.Replaces, certID)
		}
	})
}

func TestRenewalInfo(t *testing.T) {
	c, name := newClient(t), site(t, "ari")
	leaf := c.obtain(t, nil, name)[0]
	certID, err := certificate.MakeARICertID(leaf)
	if err != nil {
		t.Fatal(err)
	}
	get := func(t *testing.T) (int, string) {
		t.Helper()
		response, err := labHTTP(t).Get(c.GetDirectory().RenewalInfo + "/" + certID)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	own := lab.Issued()[len(lab.Issued())-1].PEM

	t.Run("a window that was set is the one suggested", func(t *testing.T) {
		start := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		if err := lab.SetRenewalWindow(own, start, start.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		want := `{"suggestedWindow":{"end":"2026-12-01T01:00:00Z","start":"2026-12-01T00:00:00Z"}}`
		if status, body := get(t); status != 200 || body != want {
			t.Errorf("got %d %s", status, body)
		}
	})

	t.Run("an answer that was set comes as it is, and an empty one gives the CA's own back", func(t *testing.T) {
		for _, want := range []string{`{"suggestedWindow":null`, ""} {
			if err := lab.SetRenewalInfo(own, want); err != nil {
				t.Fatal(err)
			}
			status, body := get(t)
			if want == "" && !strings.Contains(body, leaf.NotAfter.Format("2006-")) && !strings.Contains(body, "suggestedWindow") || want != "" && body != want {
				t.Errorf("got %d %s", status, body)
			}
		}
	})

	t.Run("the record has the certificate's names", func(t *testing.T) {
		get(t)
		requests := lab.Requests()
		if last := requests[len(requests)-1]; last.Kind != KindRenewalInfo || len(last.Names) != 1 || last.Names[0] != name {
			t.Errorf("recorded as %+v", last)
		}
	})

	t.Run("a certificate that is none, or of another CA, is refused", func(t *testing.T) {
		for what, pem := range map[string][]byte{"no PEM": nil, "another's": lab.TLSRootPEM()} {
			if err := lab.SetRenewalWindow(pem, time.Now(), time.Now()); err == nil {
				t.Errorf("%s: no error", what)
			}
		}
	})
}

func TestRevoking(t *testing.T) {
	c := newClient(t)
	leaf := c.obtain(t, nil, site(t, "revoked"))[0]
	if err := c.Certificates.Revoke(acme.RevokeCertMessage{Certificate: rawURL(leaf.Raw)}); err != nil {
		t.Fatal(err)
	}
	if got := c.mine(KindRevoke); len(got) != 1 || got[0].Status != http.StatusOK {
		t.Errorf("recorded as %+v", got)
	}
	err := c.Certificates.Revoke(acme.RevokeCertMessage{Certificate: rawURL(leaf.Raw)})
	var p *acme.ProblemDetails
	if !errors.As(err, &p) || !strings.HasSuffix(p.Type, "alreadyRevoked") {
		t.Errorf("the second time: %v", err)
	}
}
