package ari

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/retryafter"
)

// ErrUnknownCertificate is the cause of the failure where the CA has no such certificate, or has forgotten it.
var ErrUnknownCertificate = errors.New("the CA doesn't know the certificate")

func configuration(format string, args ...any) *renew.Failure {
	return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(format, args...))
}

// during says what was being done when a failure came.
func during(doing string, err error) error {
	var f *renew.Failure
	if !errors.As(err, &f) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &renew.Failure{Kind: f.Kind, Reason: f.Reason, At: f.At, Err: fmt.Errorf("%s: %w", doing, f.Err)}
}

// refused makes a failure of a status other than 200. Overload passes, and the CA may say when (then its host is left alone until then);
// everything else lasts, so it is asked about again after six hours.
func (c *Client) refused(doing string, a answer) error {
	err := fmt.Errorf("%s: the CA answered HTTP %d %s", doing, a.status, http.StatusText(a.status))
	if a.status < 500 && a.status != http.StatusTooManyRequests {
		return renew.LaterAt(c.now().Add(otherwise), reason.CARefused, err)
	}
	f := renew.Fail(renew.Later, reason.CAUnavailable, err)
	if wait, ok := retryafter.Parse(a.retryAfter, c.now()); ok {
		f.At = c.now().Add(clamp(wait))
		c.leaveAlone(a.host, f.At)
	}
	return f
}

// unreached makes a failure of a request without an answer. A name that doesn't resolve and a refused connection are errors that
// last (RFC 9773, 4.3.3); the others are left to the caller's backoff.
func (c *Client) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	var judged *renew.Failure // by who sends the account's requests too
	if errors.As(err, &judged) {
		return judged
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) && !expired(err) {
		return configuration("trusting the CA's TLS certificate: %w; give its root in CERTPACE_ACME_CA_BUNDLE, or correct the directory's URL", untrusted.Err)
	}
	var name *net.DNSError
	if errors.As(err, &name) && name.IsNotFound || errors.Is(err, syscall.ECONNREFUSED) {
		return renew.LaterAt(c.now().Add(otherwise), reason.CAUnavailable, err)
	}
	return renew.Fail(renew.Later, reason.CAUnavailable, err)
}

func expired(err error) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired
}

// ended is the failure of a context that is over, or too short for the pace.
func ended(ctx context.Context) *renew.Failure {
	if errors.Is(ctx.Err(), context.Canceled) {
		return renew.Fail(renew.Later, reason.Interrupted, fmt.Errorf("waiting for the CA: %w", ctx.Err()))
	}
	return renew.Fail(renew.Later, reason.Deadline, errors.New("waiting for the CA: too little time is left"))
}
