package renew

import (
	"strings"

	"github.com/certpace/certpace/internal/reason"
)

// ours refuses a secret that names no deployment, unless the table knows it: it is of before
// secrets named one, and may be another deployment's as well as ours, or anybody's. The port
// refuses what names another deployment. An open issuance may have made the secret, and died before
// the table knew.
func (r *run) ours(s Stored) error {
	if !s.Unnamed || r.cert.Status.Issuance != "" {
		return nil
	}
	if u := r.cert.InUse; u != nil && u.SecretARN == s.SecretARN {
		return nil
	}
	return refused(reason.Configuration, "reading the secret of %s: %s is there already, names no deployment in its tags, and this deployment's table doesn't know it, "+
		"so it isn't written to; where it is this deployment's own, `certpace adopt %s --secret %s` takes it over, else give the deployment another prefix (secret_prefix, CERTPACE_SECRET_PREFIX)",
		r.cert.Name, s.SecretARN, r.cert.Name, s.SecretARN)
}

// astray refuses to issue in the place of a secret that is in use under another name: its consumers
// would go on reading the old one. So it is where a deployment's prefix was changed.
func (r *run) astray() error {
	u := r.cert.InUse
	if u == nil {
		return nil
	}
	is, want := u.SecretName(), r.SecretPrefix+r.cert.Name
	if is == "" || is == want {
		return nil
	}
	return refused(reason.Configuration, "reading the secret of %s: what is in use is in the secret %s, and there is no secret %s; set the prefix to %q again "+
		"(secret_prefix, CERTPACE_SECRET_PREFIX), or move it: `certpace adopt %s --secret %s`, and then its consumers",
		r.cert.Name, is, want, strings.TrimSuffix(is, r.cert.Name), r.cert.Name, is)
}
