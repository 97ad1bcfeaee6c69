package dns

import (
	"os"
	"strconv"
	"sync"

	"github.com/certpace/certpace/internal/renew"
)

// noAliases is the variable of the environment by which lego is told not to follow CNAMEs. It reads
// it each time that it works out where a value belongs.
const noAliases = "LEGO_DISABLE_CNAME_SUPPORT"

// aliases says to lego's providers whether they follow CNAMEs. They would follow those that a
// wildcard makes up, too, so one is only let where we did. What is asked for at the same time with
// another answer waits.
type aliases struct {
	mu     sync.Mutex
	users  int
	follow bool
	freed  chan struct{} // closed when nobody uses it any more
}

// theAliases are the process's, as the environment is.
var theAliases aliases

// enter lets a provider's method begin that follows CNAMEs, or doesn't; leave is to be called after
// it.
func (a *aliases) enter(follow bool) {
	for wait := a.try(follow); wait != nil; wait = a.try(follow) {
		<-wait
	}
}

// try is nil where the method may begin, and else closed when it is worth another try.
func (a *aliases) try(follow bool) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users > 0 && a.follow != follow {
		return a.freed
	}
	if a.users == 0 {
		a.follow, a.freed = follow, make(chan struct{})
		_ = os.Setenv(noAliases, strconv.FormatBool(!follow)) // it fails on a name with "=" or NUL only
	}
	a.users++
	return nil
}

func (a *aliases) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users--; a.users == 0 {
		close(a.freed)
	}
}

// delegated says whether a record belongs at another name than the challenge's own.
func delegated(r renew.Record) bool { return r.FQDN != "" && r.FQDN != challengeName(r.Domain) }
