package issuer

import (
	"maps"
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

// profileForm is what a profile can be called in a fleet file; names go into what people are told to write.
var profileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9\-_.]{0,63}$`)

// identityForm is what a CAA record can name as an issuer (RFC 8659, 4.2); it goes into what people are told to write.
var identityForm = regexp.MustCompile(`^[A-Za-z0-9.-]{1,253}$`)

func readMeta(m acme.Meta) meta {
	out := meta{bound: m.ExternalAccountRequired}
	for _, id := range m.CaaIdentities {
		if identityForm.MatchString(id) {
			out.identities = append(out.identities, id)
		}
	}
	for name := range m.Profiles {
		if profileForm.MatchString(name) {
			out.profiles = append(out.profiles, name)
		}
	}
	slices.Sort(out.profiles)
	return out
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
	return &answer{status: kept.answer.status, header: maps.Clone(kept.answer.header), body: kept.answer.body}
}

// put keeps an answer if it is a directory.
func (d *directories) put(url string, a *answer, now time.Time) {
	if !a.isDirectory() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[url] = &directory{answer: a, fetched: now}
}
