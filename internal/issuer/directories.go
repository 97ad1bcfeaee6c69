package issuer

import (
	"maps"
	"sync"
	"time"
)

// directoryAge is how long a CA's directory is believed. Its URLs hardly ever change, its profiles do a few times a year.
const directoryAge = 6 * time.Hour

// directories keeps the directories that were fetched, so that a warm function asks for each only a few times a day.
type directories struct {
	mu    sync.Mutex
	known map[string]*directory // by URL
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
