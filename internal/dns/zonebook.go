package dns

import (
	"slices"
	"sync"
	"time"
)

// zoneBook remembers the zones that a role sees.
type zoneBook struct {
	turn chan struct{} // holds a token while somebody lists zones

	mu    sync.Mutex
	pages []zonePage
	names map[string]zoneName // of configured zones, by id
}

// zonePage is a page of the listing of zones: of every name that lies on it, it tells whether there are zones of that name.
type zonePage struct {
	from, next string // as in onPage
	ids        map[string][]string
	until      time.Time
}

func (p zonePage) tells(name string) bool { return name == p.from || onPage(name, p.from, p.next) }

// told are the zones of names that lie on the page: of the name with which the next one begins, there may be more there.
func (p zonePage) told() map[string][]string {
	all := map[string][]string{}
	for name, ids := range p.ids {
		if p.tells(name) {
			all[name] = ids
		}
	}
	return all
}

type zoneName struct {
	name  string
	until time.Time
}

// book is the one of a role.
func (r *route53) book(role Role) *zoneBook {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.books[role]
	if b == nil {
		b = &zoneBook{turn: make(chan struct{}, 1), names: map[string]zoneName{}}
		r.books[role] = b
	}
	return b
}

// recall gives the ids of zones by name, and the names of which nothing is known.
func (b *zoneBook) recall(names []string, now time.Time) (known map[string][]string, unknown []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known = map[string][]string{}
	for _, name := range names {
		i := slices.IndexFunc(b.pages, func(p zonePage) bool { return now.Before(p.until) && p.tells(name) })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		known[name] = b.pages[i].ids[name]
	}
	return known, unknown
}

func (b *zoneBook) keep(p zonePage, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages = slices.DeleteFunc(b.pages, func(old zonePage) bool { return !now.Before(old.until) })
	b.pages = append(b.pages, p)
}

// forget makes the next one list again: somebody who was told that a zone is missing makes it, and tries again at once.
func (b *zoneBook) forget(names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages = slices.DeleteFunc(b.pages, func(p zonePage) bool { return slices.ContainsFunc(names, p.tells) })
}

// recallName gives the name of a configured zone, empty where the role may not look at it.
func (b *zoneBook) recallName(id string, now time.Time) (name string, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, known := b.names[id]
	return n.name, known && now.Before(n.until)
}

func (b *zoneBook) keepName(id, name string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names[id] = zoneName{name, now.Add(zonesFor)}
}
