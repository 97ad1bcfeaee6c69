package bundle

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Expect is what a bundle is held against before it may become current.
type Expect struct {
	Domains []string // sorted; exactly these must be covered
	Custom  bool     // names that CAs add by custom may be there too (Added)
	Current *Bundle  // what is in use; nil where there is nothing
	Now     time.Time
	Keyless bool             // the key is kept elsewhere, so nothing is asked of it
	Key     crypto.PublicKey // with Keyless: whose certificate it must be; nil for anybody's
}

// Verify says whether b may be put into use: the key belongs to the leaf, the names are those that were asked for, every
// certificate of the chain signs the one before it, it is valid now and newer than what is in use, and no staging CA made it
// while a real one made what is in use. All faults are reported at once.
func (b Bundle) Verify(e Expect) error {
	certs, err := Chain([]byte(b.FullChain))
	if err != nil {
		return err
	}
	leaf := certs[0]
	faults := []error{verifyNames(leaf, e), verifyDates(leaf, e.Now), verifySignatures(certs), b.verifyParts(certs)}
	switch {
	case !e.Keyless:
		faults = append([]error{b.verifyKey(leaf)}, faults...)
	case e.Key != nil:
		faults = append([]error{belongs(leaf, e.Key), b.verifyKeyless()}, faults...)
	}
	if e.Current != nil {
		faults = append(faults, b.verifyNewer(*e.Current))
	}
	return errors.Join(faults...)
}

func (b Bundle) verifyKey(leaf *x509.Certificate) error {
	key, err := ParseKey(b.PrivateKey)
	if err != nil {
		return err
	}
	return matches(leaf, key)
}

func (b Bundle) verifyKeyless() error {
	if b.PrivateKey != "" {
		return errors.New("looking at the key: there is one, and it was to be kept elsewhere")
	}
	return nil
}

func belongs(leaf *x509.Certificate, key crypto.PublicKey) error {
	pub, ok := key.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(leaf.PublicKey) {
		return errors.New("matching request and certificate: the certificate is for another key")
	}
	return nil
}

// clockSkew is how far a CA's clock may be ahead of ours.
const clockSkew = 5 * time.Minute

func verifyDates(leaf *x509.Certificate, now time.Time) error {
	switch {
	case leaf.NotBefore.After(now.Add(clockSkew)):
		return fmt.Errorf("comparing dates: valid only from %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case !leaf.NotAfter.After(now):
		return fmt.Errorf("comparing dates: expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

func verifySignatures(certs []*x509.Certificate) error {
	for i := range certs[1:] {
		if err := certs[i].CheckSignatureFrom(certs[i+1]); err != nil {
			return fmt.Errorf("building the chain: %q is not signed by %q: %w", certs[i].Subject, certs[i+1].Subject, err)
		}
	}
	return nil
}

// verifyParts holds the fields that consumers read one by one against the chain that was verified.
func (b Bundle) verifyParts(certs []*x509.Certificate) error {
	if b.Certificate+b.Chain != b.FullChain {
		return errors.New("comparing parts: fullchain is not certificate and chain")
	}
	if b.Serial != Serial(certs[0]) {
		return errors.New("comparing parts: serial is not the certificate's")
	}
	if !b.NotBefore.Equal(certs[0].NotBefore) || !b.NotAfter.Equal(certs[0].NotAfter) {
		return errors.New("comparing parts: not_before or not_after is not the certificate's")
	}
	return nil
}

// verifyNewer holds b to be no older than what is in use. Equal dates are no older: some CAs count
// whole days, or keep the dates of the certificate before.
func (b Bundle) verifyNewer(current Bundle) error {
	if b.Serial != current.Serial && b.NotBefore.Before(current.NotBefore) && !b.NotAfter.After(current.NotAfter) {
		return fmt.Errorf("comparing with what is in use: it is older (valid from %s, in use is valid from %s)",
			b.NotBefore.Format(time.RFC3339), current.NotBefore.Format(time.RFC3339))
	}
	if Staging(b.Directory) && !Staging(current.Directory) {
		return fmt.Errorf("comparing with what is in use: %s is a staging CA, it may not replace a certificate of %s", b.Directory, current.Directory)
	}
	return nil
}

// Staging says whether a directory belongs to a CA whose certificates nobody trusts.
func Staging(directory string) bool { return strings.Contains(directory, "staging") }
