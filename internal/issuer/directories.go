package issuer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
)

// directoryAge is how long a CA's directory is believed. Its URLs hardly ever change, its profiles do a few times a year.
const directoryAge = 6 * time.Hour

// directories keeps the directories that were fetched, so that a warm function asks for each only a few times a day.
type directories struct {
	mu    sync.Mutex
	known map[string]*directory // by URL
}

// meta is what is used of a directory's meta object (RFC 8555, 7.1.1).
type meta struct {
	identities []string // by which CAA records mean the CA
	bound      bool     // accounts must be bound to an external one
	profiles   []string // names of the profiles that orders may ask for (draft-ietf-acme-profiles), sorted
}

// mostNamed is how many identities, and how many profiles, of a directory are looked at: a CA has a
// handful, and each name is asked about in the DNS.
const mostNamed = 100

// profileForm is what a profile can be called in a fleet file; names go into what people are told to write.
var profileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9\-_.]{0,63}$`)

// identityForm is what a CAA record can name as an issuer (RFC 8659, 4.2); it goes into what people are told to write.
var identityForm = regexp.MustCompile(`^[A-Za-z0-9.-]{1,253}$`)

func readMeta(m acme.Meta) meta {
	out := meta{bound: m.ExternalAccountRequired}
	for _, id := range m.CaaIdentities[:min(len(m.CaaIdentities), mostNamed)] {
		if identityForm.MatchString(id) {
			out.identities = append(out.identities, id)
		}
	}
	for name := range m.Profiles {
		if len(out.profiles) == mostNamed {
			break
		}
		if profileForm.MatchString(name) {
			out.profiles = append(out.profiles, name)
		}
	}
	slices.Sort(out.profiles)
	return out
}

// directoryFault says why an answer isn't an ACME directory that certpace can work with (RFC 8555,
// 7.1.1); empty where it is one.
func (a *answer) directoryFault() string {
	var named map[string]any
	if a.status != http.StatusOK || json.Unmarshal(bytes.TrimPrefix(a.body, byteOrderMark), &named) != nil || named == nil {
		return "the answer is none"
	}
	if _, object := named["meta"].(map[string]any); named["meta"] != nil && !object {
		return "the answer is none, for its meta is no object"
	}
	_, first := named["new-reg"]
	for _, name := range []string{"newNonce", "newAccount", "newOrder"} {
		at, _ := named[name].(string)
		if at == "" && first {
			return "it is one of ACME's first version, which certpace doesn't speak; look for the CA's ACME v2 directory"
		}
		if at == "" {
			return "the answer is none, for it names no " + name
		}
		at = absolute(at, a.base)
		if !isHTTPS(at) {
			return fmt.Sprintf("its %s is %.300q, which is not an https URL (RFC 8555, 6.1); set the address under which the CA is reached in the CA's own configuration", name, at)
		}
	}
	return ""
}

type directory struct {
	answer  *answer
	fetched time.Time
}

// get is the directory at a URL, nil where it isn't known or too old.
func (d *directories) get(url string, now time.Time) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.known[url]
	if kept == nil || now.Sub(kept.fetched) >= directoryAge {
		return nil
	}
	return &answer{base: kept.answer.base, status: kept.answer.status, header: maps.Clone(kept.answer.header), body: kept.answer.body}
}

// put keeps an answer if it is a directory, and says whether it is.
func (d *directories) put(url string, a *answer, now time.Time) bool {
	if a.directoryFault() != "" {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[url] = &directory{answer: a, fetched: now}
	return true
}
