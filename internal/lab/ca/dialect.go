package ca

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Pebble's answers are made Boulder's where the two differ and it is known how: a client that was
// only ever tried with Pebble would meet Boulder's for the first time in production. What differs
// still is in docs/limits.md, section 6.

// translate puts Pebble's answer into Boulder's form. p.mu is held.
func (p *pebble) translate(hr *http.Request, r Request, a *answer) {
	kind, id := classify(hr.URL.Path)
	switch {
	case a.status >= http.StatusBadRequest:
		p.refuse(a, r, kind, id)
	case kind == KindOrder || kind == KindFinalize:
		a.header.Set("Location", "https://"+hr.Host+pathOrder+id)
		p.translateOrder(a, id)
	case kind == KindAuthorization:
		a.header.Del("Retry-After") // Boulder doesn't say for how long it validates
		a.edit(editAuthorization)
	case kind == KindChallenge:
		a.edit(func(ch map[string]any) {
			a.header.Set("Location", text(ch["url"]))
			editChallenge(ch, p.nameOf(id))
		})
	case kind == KindRenewalInfo:
		p.renewalInfo(a, id)
	}
}

// edit changes the JSON object that the answer is. An answer that is none stays as it is.
func (a *answer) edit(change func(map[string]any)) {
	var object map[string]any
	if json.Unmarshal(a.body.Bytes(), &object) != nil {
		return
	}
	change(object)
	a.replace(a.status, indented(object))
}

// indented is JSON as Boulder writes it: nothing is escaped for HTML's sake.
func indented(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // what came out of JSON goes into it
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// text is a value that should be a string, empty where it isn't.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// translateOrder: an order whose validation failed says so in the authorization only, and shows a
// profile only where one was asked for.
func (p *pebble) translateOrder(a *answer, id string) {
	a.edit(func(order map[string]any) {
		delete(order, "error")
		if p.unnamed[id] {
			delete(order, "profile")
		}
	})
}

// offered are the challenge types that Let's Encrypt offers.
var offered = []string{"dns-01", "http-01", "tls-alpn-01"}

func editAuthorization(authz map[string]any) {
	identifier, _ := authz["identifier"].(map[string]any)
	challenges, _ := authz["challenges"].([]any)
	shown := make([]any, 0, len(challenges))
	for _, c := range challenges {
		if ch, ok := c.(map[string]any); ok && slices.Contains(offered, text(ch["type"])) {
			editChallenge(ch, text(identifier["value"]))
			shown = append(shown, ch)
		}
	}
	authz["challenges"] = shown
}

// editChallenge: Boulder leaves a challenge pending while it validates.
func editChallenge(ch map[string]any, name string) {
	if ch["status"] == "processing" {
		ch["status"] = "pending"
		delete(ch, "validated")
	}
	if problem, ok := ch["error"].(map[string]any); ok {
		editFailure(problem, "_acme-challenge."+name)
	}
}

// lookup is how Pebble says that a look-up failed, with the answer's code.
var lookup = regexp.MustCompile(`returned an unsuccessful response: (\d+)"\)$`)

// explanations are what Boulder adds to a code.
var explanations = map[int]string{
	dns.RcodeNameError:     " - check that a DNS record exists for this domain",
	dns.RcodeServerFailure: " - the domain's nameservers may be malfunctioning",
}

// editFailure says why a dns-01 challenge failed as Boulder does. Which wrong value was found isn't
// known here: Pebble's words stay.
func editFailure(problem map[string]any, where string) {
	detail := text(problem["detail"])
	if detail == "No TXT records found for DNS challenge" {
		problem["detail"] = "No TXT record found at " + where
		return
	}
	found := lookup.FindStringSubmatch(detail)
	if found == nil {
		return
	}
	code, err := strconv.Atoi(found[1])
	if err != nil {
		return
	}
	problem["type"], problem["status"] = errorType("dns"), http.StatusBadRequest
	problem["detail"] = "DNS problem: " + dns.RcodeToString[code] + " looking up TXT for " + where + explanations[code]
}

func errorType(problem string) string { return "urn:ietf:params:acme:error:" + problem }

// nameOf is the name that a challenge is about, without a wildcard's "*.".
func (p *pebble) nameOf(challenge string) string {
	c := p.db.GetChallengeByID(challenge)
	if c == nil {
		return ""
	}
	return strings.TrimPrefix(c.Authz.Identifier.Value, "*.")
}
