package simulate

import (
	"strconv"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// directory is the CA of every simulated certificate; account its only account there. Neither is ever spoken to.
const (
	directory = "https://acme-v02.api.letsencrypt.org/directory"
	account   = "https://acme-v02.api.letsencrypt.org/acme/acct/1"
)

// entry is one certificate of the simulated fleet: the table's entry, and what only the simulation knows of it.
type entry struct {
	certificate inventory.Certificate
	number      int       // in the fleet
	set         string    // hash of its names
	generation  int       // of what is in use; serials are number and generation
	place       int       // in the shelf's heap; -1 outside of it
	attempts    int       // orders tried
	ends        time.Time // when what is in use stops being any good: its end, or its revocation; zero where nothing is in use
	broken      bool
	revoked     bool // what is in use is to be, or was, revoked
	backlog     bool // wanted or overdue at the start and not issued yet
}

func newEntry(number int, m Member, s Scenario) *entry {
	e := &entry{number: number, set: budget.SetHash(m.Domains), place: -1, broken: dice{s.Seed}.roll("broken", m.Name, 0) < s.Broken.Share}
	e.certificate = inventory.Certificate{
		Name: m.Name, Shard: inventory.DefaultShard, Rev: 1,
		Wanted: inventory.Wanted{Domains: m.Domains, KeyType: inventory.EC256, Directory: directory, Enabled: true, Since: m.WantedAt},
	}
	if m.InUse() {
		e.certificate.Wanted.Since = m.NotBefore
		e.ends = m.NotAfter
		e.certificate.InUse = e.issued(m.NotBefore, m.NotAfter)
	}
	return e
}

// issued is the next generation's certificate, without a window yet.
func (e *entry) issued(notBefore, notAfter time.Time) *inventory.InUse {
	e.generation++
	return &inventory.InUse{
		Serial: strconv.Itoa(e.number) + "." + strconv.Itoa(e.generation), NotBefore: notBefore, NotAfter: notAfter, IssuedAt: notBefore,
		Domains: e.certificate.Wanted.Domains, KeyType: inventory.EC256, Directory: directory, Account: account,
	}
}

// numberOf finds the entry's number in a serial.
func numberOf(serial string) (int, bool) {
	number, _, ok := strings.Cut(serial, ".")
	n, err := strconv.Atoi(number)
	return n, ok && err == nil
}

func predecessor(u *inventory.InUse) Predecessor {
	return Predecessor{Serial: u.Serial, NotBefore: u.NotBefore, NotAfter: u.NotAfter}
}
