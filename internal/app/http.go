package app

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"time"
)

// caTimeout bounds one unauthenticated request to a CA.
const caTimeout = 30 * time.Second

// HTTP is a client for a CA whose TLS is checked with roots; nil for the system's.
func HTTP(roots *x509.CertPool) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: t, Timeout: caTimeout}
}
