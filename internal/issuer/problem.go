package issuer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/go-acme/lego/v4/acme"

	"github.com/certpace/certpace/internal/budget"
)

// ACME's own error types begin with this (RFC 8555, 6.7).
const errorNamespace = "urn:ietf:params:acme:error:"

// The error types that certpace acts on.
const (
	alreadyReplaced         = "alreadyReplaced" // RFC 9773, 7.4
	alreadyRevoked          = "alreadyRevoked"
	accountDoesNotExist     = "accountDoesNotExist"
	badNonce                = "badNonce"
	caa                     = "caa"
	compound                = "compound"
	dnsTrouble              = "dns"
	externalAccountRequired = "externalAccountRequired"
	incorrectResponse       = "incorrectResponse"
	orderNotReady           = "orderNotReady"
	rateLimited             = "rateLimited"
	serverInternal          = "serverInternal"
	unauthorized            = "unauthorized"
)

// How much of a CA's text is passed on, in characters.
const (
	maxWords = 1000
	maxLink  = 8000 // where it holds an unpause link, whose token is long
)

// problem is an error answer: an RFC 7807 document as far as the CA sent one, and always the HTTP status.
type problem struct {
	status int
	kind   string // the type without its namespace; empty where the CA named none
	detail string // the CA's words as they came; may hold the unpause link
	text   string // the words for people: cleaned, cut, without the unpause link, subproblems included
	subs   []acme.SubProblem
}

// parseProblem reads the body of an error answer. Load balancers send HTML, nothing at all or `null` in its place, and problems
// without a status; then the HTTP status has to speak.
func parseProblem(status int, body []byte) *problem {
	var p acme.ProblemDetails
	if json.Unmarshal(body, &p) != nil {
		p = acme.ProblemDetails{}
	}
	return newProblem(status, p)
}

func newProblem(status int, p acme.ProblemDetails) *problem {
	return &problem{
		status: status, kind: kindOf(p.Type), detail: p.Detail, subs: p.SubProblems, text: fmt.Sprintf("HTTP %d %s", status, sayProblem(status, p)),
	}
}

// limited says whether a limit is what the CA refused for. An overloaded load balancer says so too,
// with 503.
func (p *problem) limited() bool {
	return p.status == http.StatusTooManyRequests || p.kind == rateLimited && p.status >= 400 && p.status < 500
}

func kindOf(problemType string) string {
	kind, ok := strings.CutPrefix(problemType, errorNamespace)
	if !ok {
		return ""
	}
	return kind
}

func sayProblem(status int, p acme.ProblemDetails) string {
	words := say(&p)
	if words == "" {
		return http.StatusText(status)
	}
	return words
}

// say puts a problem document into one line for people; empty where it says nothing.
func say(p *acme.ProblemDetails) string {
	if p == nil {
		return ""
	}
	var b strings.Builder
	if kind := kindOf(p.Type); kind != "" {
		b.WriteString(kind)
	}
	add(&b, ": ", p.Detail)
	for _, sub := range p.SubProblems {
		add(&b, "; ", strings.TrimPrefix(sub.Identifier.Value+": "+sub.Detail, ": "))
	}
	if p.Instance != "" {
		add(&b, "; see ", p.Instance)
	}
	return tidy(b.String())
}

func add(b *strings.Builder, separator, words string) {
	if words == "" {
		return
	}
	if b.Len() > 0 {
		b.WriteString(separator)
	}
	b.WriteString(words)
}

// tidy makes a foreign text fit for a log line: no control characters, no bearer link, no more than maxWords characters.
func tidy(words string) string { return cut(clean(budget.RedactUnpause(words)), maxWords) }

func clean(words string) string {
	words = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, words)
	return strings.Join(strings.Fields(words), " ")
}

func cut(words string, most int) string {
	if runes := []rune(words); len(runes) > most {
		return string(runes[:most]) + " …"
	}
	return words
}
