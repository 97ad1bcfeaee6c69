package ca

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// token is what an unpause link proves its holder's account with.
var token = regexp.MustCompile(`(\bjwt=)[^&\s"#]+`)

// unpauseLink is the address in a pause's text.
var unpauseLink = regexp.MustCompile(`https?://\S*\bjwt=\S+`)

func withoutToken(text string) string { return token.ReplaceAllString(text, "${1}…") }

// note keeps what a refusal says. The token of an unpause link stays out of the request, which
// tests print.
func (x *exchange) note(a *answer) {
	problem, detail := a.problem()
	link := unpauseLink.FindString(detail)
	x.record.update(x.kept, func(r *Request) {
		r.Problem, r.Detail, r.RetryAfter = problem, withoutToken(detail), ""
		if a.status >= http.StatusBadRequest {
			r.RetryAfter = a.header.Get("Retry-After")
		}
		x.record.link(r.Seq, link)
	})
}

// problem is the last part of a problem document's type and its detail (RFC 7807), empty where the
// answer is none.
func (a *answer) problem() (kind, detail string) {
	if a.status < http.StatusBadRequest {
		return "", ""
	}
	var p struct {
		Type   string `json:"type"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(a.body.Bytes(), &p) != nil {
		return "", ""
	}
	return p.Type[strings.LastIndexByte(p.Type, ':')+1:], p.Detail
}

// link keeps the unpause link that a request got. c.mu is held.
func (c *record) link(seq int, link string) {
	if link == "" {
		return
	}
	if c.links == nil {
		c.links = map[int]string{}
	}
	c.links[seq] = link
}

// UnpauseLink is the address that the CA's answer to a request, by its Seq, told a paused account
// to visit; empty where there was none. It holds a bearer token: it belongs in no log.
func (c *CA) UnpauseLink(seq int) string {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	return c.record.links[seq]
}
