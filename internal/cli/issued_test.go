package cli_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// issued makes a certificate and stores it where the worker would: in the vault, and in the table. What it chains to is written beside it.
func issued(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "issued CERTIFICATE", 1)
	ctx, r := context.Background(), roomsOf(ts)
	c, err := r.store.Certificate(ctx, args[0])
	ts.Check(err)
	key, err := bundle.NewKey(c.Wanted.KeyType)
	ts.Check(err)
	now := time.Now().UTC().Truncate(time.Second)
	chain, err := signed(c.Wanted.Domains, key.Public(), now)
	ts.Check(err)
	b, err := bundle.Make(chain, key, bundle.Origin{Directory: c.Wanted.Directory, Account: "https://ca.example/account/1", IssuedAt: now})
	ts.Check(err)
	s, err := r.vault.Stage(ctx, renew.Issuance{ID: "issuance", Certificate: c.Name, Wanted: c.Wanted}, b)
	ts.Check(err)
	ts.Check(r.vault.Promote(ctx, s))
	u := b.InUse()
	u.SecretARN, u.VersionID = s.SecretARN, s.VersionID
	u.RenewAt = u.ChooseRenewAt(c.Name)
	c.InUse, c.Status = &u, inventory.Status{Reason: reason.NotDue, Message: "issued", At: now, Due: u.RenewAt}
	_, err = r.store.SaveCertificate(ctx, c)
	ts.Check(err)
}

// signed is a chain of a leaf and the intermediate that signed it, in PEM.
func signed(names []string, public crypto.PublicKey, now time.Time) ([]byte, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, NotBefore: now, NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root := *ca
	root.Subject = pkix.Name{CommonName: "Test Root"}
	ca.SubjectKeyId = []byte{1, 2, 3, 4}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, &root, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(0x1a2b3c), Subject: pkix.Name{CommonName: names[0]}, NotBefore: now, NotAfter: now.Add(90 * 24 * time.Hour), DNSNames: names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, public, caKey)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})...), nil
}
