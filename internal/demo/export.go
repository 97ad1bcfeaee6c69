package demo

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const exported = "farm-42-names"

// export writes one certificate to files and has somebody else verify it.
func (s *show) export() error {
	s.heading("A certificate is exported and verified by somebody else")
	dir := s.file(exported)
	if _, err := s.run("", "export", exported, "--dir", dir); err != nil {
		return err
	}
	root := s.file("root.pem")
	if err := s.cloud.WriteRoots(root); err != nil {
		return err
	}
	if err := s.verifyHere(dir, root); err != nil {
		return err
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		s.line("  there is no openssl here to ask too")
		return nil
	}
	return s.verifyOpenSSL(dir, root)
}

func (s *show) verifyOpenSSL(dir, root string) error {
	f := func(name string) string { return filepath.Join(dir, name) }
	chain, err := s.openssl("verify", "-CAfile", root, "-untrusted", f("chain.pem"), f("cert.pem"))
	if err != nil {
		return err
	}
	s.line("  openssl: the chain verifies: %s", strings.ReplaceAll(strings.TrimSpace(chain), s.dir+"/", ""))
	ofCert, err := s.openssl("x509", "-in", f("cert.pem"), "-noout", "-pubkey")
	if err != nil {
		return err
	}
	ofKey, err := s.openssl("pkey", "-in", f("privkey.pem"), "-pubout")
	if err != nil {
		return err
	}
	if ofCert != ofKey {
		return errors.New("openssl: the key isn't the certificate's")
	}
	s.line("  openssl: the private key is the certificate's")
	return nil
}

func (s *show) openssl(args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(s, "openssl", args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("openssl %s: %w: %s", args[0], err, errs.String())
	}
	return out.String(), nil
}

// verifyHere does the same without openssl, which not everybody has.
func (s *show) verifyHere(dir, root string) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")) // fails unless they match
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(root)
	if err != nil {
		return err
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, der := range pair.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		between.AddCert(c)
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return fmt.Errorf("verifying the exported chain: %w", err)
	}
	s.line("  crypto/x509: the chain verifies and the private key is the certificate's")
	return nil
}
