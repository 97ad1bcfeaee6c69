package ca

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// wording is one refusal in Pebble's words and in Boulder's.
type wording struct {
	kind    Kind           // of the request; empty for any
	pebble  *regexp.Regexp // its detail
	status  int
	problem string
	// boulder is the detail. $1 is the first group of pebble's, {serial} the certificate's that the
	// request names (36 digits), {id} what the path ends in.
	boulder string
}

const (
	aboutReplaces = "Could not validate ARI 'replaces' field :: "
	aboutCertID   = "While parsing ARI CertID an error occurred :: "
	unknownIssuer = "path contained an Authority Key Identifier that did not match a known issuer"
	notValidated  = "Unable to validate JWS :: "
)

// wordings are those that certpace could meet.
var wordings = []wording{
	{"", regexp.MustCompile(`^JWS has an invalid anti-replay nonce: `), 400, "badNonce", "JWS has an invalid anti-replay nonce"},
	{"", regexp.MustCompile(`^Account (.+) not found\.$`), 400, "accountDoesNotExist", notValidated + `Account "$1" not found`},
	{"", regexp.MustCompile(`^Account has been deactivated$`), 403, "unauthorized", notValidated + `Account is not valid, has status "deactivated"`},

	{KindNewOrder, regexp.MustCompile(`^Order includes unrecognized profile name ("[^"]*")$`), 400, "invalidProfile", "profile name $1 not recognized"},
	{KindNewOrder, regexp.MustCompile(`^certificate .* already has a replacement order$`), 409, "alreadyReplaced",
		aboutReplaces + `cannot indicate an order replaces certificate with serial "{serial}", which already has a replacement order`},
	{KindNewOrder, regexp.MustCompile(`^parsing ARI CertID failed: .*Invalid path$`), 400, "malformed", aboutReplaces + "Invalid path"},
	{KindNewOrder, regexp.MustCompile(`^parsing ARI CertID failed: .*no known issuer`), 404, "malformed", aboutReplaces + unknownIssuer},
	{KindNewOrder, regexp.MustCompile(`^could not find an order for the given certificate: `), 404, "malformed",
		aboutReplaces + "request included `replaces` field, but no current certificate with serial \"{serial}\" exists"},
	{KindNewOrder, regexp.MustCompile(`^requester account did not request the certificate`), 403, "unauthorized",
		aboutReplaces + "requester account did not request the certificate being replaced by this order"},
	{KindNewOrder, regexp.MustCompile(`^at least one identifier in the new order and existing order must match$`), 400, "malformed",
		aboutReplaces + "identifiers in this order do not match any identifiers in the certificate being replaced"},

	{KindFinalize, regexp.MustCompile(`^Order's status \("([a-z]+)"\) was not ready$`), 403, "orderNotReady", `Order's status ("$1") is not acceptable for finalization`},
	{KindFinalize, regexp.MustCompile(`^(CSR is missing Order|Order includes different number of)`), 403, "unauthorized",
		"Error finalizing order :: CSR does not specify same identifiers as Order"},
	{KindChallenge, regexp.MustCompile(`^Cannot update challenge with status invalid`), 400, "malformed", "Unable to update challenge :: authorization must be pending"},

	{KindRenewalInfo, regexp.MustCompile(`^Parsing ARI CertID failed: .*Invalid path$`), 400, "malformed", aboutCertID + "Invalid path"},
	{KindRenewalInfo, regexp.MustCompile(`^Parsing ARI CertID failed: .*no known issuer`), 404, "malformed", aboutCertID + unknownIssuer},
	{KindRenewalInfo, regexp.MustCompile(`^failed to retrieve existing certificate serial$`), 404, "malformed", "Requested certificate was not found"},
	{KindRevoke, regexp.MustCompile(`^Certificate has already been revoked\.$`), 400, "alreadyRevoked",
		"Unable to revoke :: no certificate with serial {serial} and status other than revoked"},

	// Of what there isn't Pebble says nothing.
	{KindOrder, nothing, 404, "malformed", "No order for ID {id}"},
	{KindFinalize, nothing, 404, "malformed", "No order for ID {id}"},
	{KindAuthorization, nothing, 404, "malformed", "No such authorization"},
	{KindChallenge, nothing, 404, "malformed", "No such challenge"},
	{KindCertificate, nothing, 404, "malformed", "Certificate not found"},
}

var nothing = regexp.MustCompile(`^$`)

// refuse puts a refusal into Boulder's words, where they are known. p.mu is held.
func (p *pebble) refuse(a *answer, r Request, kind Kind, id string) {
	_, detail := a.problem()
	for _, w := range wordings {
		if w.kind != "" && w.kind != kind || !w.pebble.MatchString(detail) || w.pebble == nothing && a.status != w.status {
			continue
		}
		words := string(w.pebble.ExpandString(nil, w.boulder, detail, w.pebble.FindStringSubmatchIndex(detail)))
		words = strings.NewReplacer("{serial}", r.serial(), "{id}", id).Replace(words)
		a.refuseWith(w.status, w.problem, words)
		break
	}
	if a.status == http.StatusInternalServerError {
		a.header.Set("Retry-After", internalRetryAfter)
	}
}

// internalRetryAfter is what Boulder asks for, in seconds, where it is at fault.
const internalRetryAfter = "60"

// refuseWith makes the answer a problem document.
func (a *answer) refuseWith(status int, problem, detail string) {
	a.header.Set("Content-Type", "application/problem+json")
	a.replace(status, problemJSON(status, problem, detail))
}

// problemJSON is a problem document as Boulder writes it.
func problemJSON(status int, problem, detail string) []byte {
	return indented(struct {
		Type   string `json:"type"`
		Detail string `json:"detail"`
		Status int    `json:"status"`
	}{errorType(problem), detail, status})
}

// serial is the serial number of the certificate that a request names, as Boulder writes it.
func (r Request) serial() string {
	if r.revoked != "" {
		return r.revoked
	}
	return paddedSerial(r.Replaces)
}

// unacceptable is why Boulder makes no order of names; empty where it does.
func unacceptable(names []string) string {
	if len(names) > mostNames {
		return "Error creating new order :: Order cannot contain more than " + strconv.Itoa(mostNames) + " identifiers"
	}
	listed := make(map[string]bool, len(names))
	for _, name := range names {
		listed[name] = true
	}
	for _, name := range names {
		if _, parent, ok := strings.Cut(name, "."); ok && !strings.HasPrefix(name, "*.") && listed["*."+parent] {
			return fmt.Sprintf("Error creating new order :: Domain name %q is redundant with a wildcard domain in the same request. "+
				"Remove one or the other from the certificate request.", name)
		}
	}
	return ""
}

// mostNames is how many names an order of Let's Encrypt's has (docs/limits.md, section 5).
const mostNames = 100
