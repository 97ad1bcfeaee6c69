package dns

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	aws53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// change is one change of Route 53 on its way to the servers. Several issuances may wait for the same one.
type change struct {
	id, zone string
	role     Role
	made     time.Time

	mu      sync.Mutex
	asking  bool      // somebody's look is on its way
	asked   time.Time // when the last one was answered
	inSync  bool
	waiters int
}

// due says how long it is until the change is to be looked at: a time after the last look, or after it was made where nobody has looked yet.
// It is done once it is known to be everywhere. Else whoever is told 0 is the one to look.
func (c *change) due(now time.Time, every time.Duration, first bool) (wait time.Duration, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := c.asked
	if since.IsZero() && !first {
		since = c.made
	}
	switch {
	case c.inSync:
		return 0, true
	case c.asking:
		return every, false
	}
	wait = max(0, every-now.Sub(since))
	c.asking = wait == 0
	return wait, false
}

// answered notes what a look has shown, and says whether that is news.
func (c *change) answered(now time.Time, inSync bool) (news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking, c.asked = false, now
	news = inSync && !c.inSync
	c.inSync = c.inSync || inSync
	return news
}

// wait counts one more who waits, or one less, and says whether that is the first or the last.
func (c *change) wait(by int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.waiters
	c.waiters += by
	return before == 0 || c.waiters == 0
}

// settled says whether the change is known to be everywhere.
func (c *change) settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inSync
}

// settle waits until Route 53 says of every change that all its servers have it: one wait, however many zones, because all
// changes are on their way at the same time.
func (r *route53) settle(ctx context.Context, changes []*change) error {
	end := r.Now().Add(r.limit)
	for _, c := range changes {
		if err := r.settleOne(ctx, c, end); err != nil {
			return during(err, "waiting for change %s in hosted zone %s", c.id, c.zone)
		}
	}
	return nil
}

func (r *route53) settleOne(ctx context.Context, c *change, end time.Time) error {
	r.watch(c, 1)
	defer r.watch(c, -1)
	for {
		news := r.awaitNews()
		wait, done, err := r.status(ctx, c)
		if done || err != nil {
			return err
		}
		if !r.Now().Before(end) {
			return renew.Fail(renew.Later, reason.DNSWriteFailed, fmt.Errorf("it is still PENDING after %s", r.limit))
		}
		if err := r.doze(ctx, news, min(wait, time.Second)); err != nil { // a longer step might be one that doesn't fit the deadline
			return err
		}
	}
}

// awaitNews is closed when some change needs no more looks: it may be another one's turn then.
func (r *route53) awaitNews() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.news
}

func (r *route53) tellNews() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.news)
	r.news = make(chan struct{})
}

// doze sleeps until there are news, at most for a time.
func (r *route53) doze(ctx context.Context, news <-chan struct{}, d time.Duration) error {
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-news:
			cancel()
		case <-short.Done():
		}
	}()
	err := r.wait(short, d)
	if short.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// watch lists the changes that are being asked for, the oldest first.
func (r *route53) watch(c *change, by int) {
	if !c.wait(by) {
		return
	}
	if by < 0 {
		defer r.tellNews()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if by > 0 {
		r.watched = append(r.watched, c)
	} else {
		r.watched = slices.DeleteFunc(r.watched, func(w *change) bool { return w == c })
	}
}

// oldest says whether a change is the oldest that isn't known to be everywhere, and how many others are being asked for.
func (r *route53) oldest(c *change) (is bool, others int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.watched, func(w *change) bool { return !w.settled() })
	return i >= 0 && r.watched[i] == c, max(0, len(r.watched)-1)
}

// every is how often a change is looked at. Looking takes about half of the requests, however many issuances wait. Changes are taken in
// about as they were made, so most looks are at the oldest, and the next is looked at as soon as that one is known to be everywhere. One that
// takes long is looked at less often: nobody waits more than a twentieth longer than it takes.
func (r *route53) every(c *change) (d time.Duration, first bool) {
	d = max(time.Duration(2/r.rate*float64(time.Second)), r.Now().Sub(c.made)/20)
	first, others := r.oldest(c)
	if !first {
		d *= time.Duration(4 * (others + 1))
	}
	return d, first
}

// status asks for a change, unless somebody else does, or did a moment ago; wait is until it is to be asked for again.
func (r *route53) status(ctx context.Context, c *change) (wait time.Duration, done bool, err error) {
	every, first := r.every(c)
	if wait, done = c.due(r.Now(), every, first); wait > 0 || done {
		return wait, done, nil
	}
	err = r.read(ctx, request{actionStatus, c.role, looking}, func(ctx context.Context, client Route53Client) error {
		out, err := client.GetChange(ctx, &aws53.GetChangeInput{Id: &c.id})
		done = err == nil && out.ChangeInfo.Status == types.ChangeStatusInsync
		return err
	})
	if c.answered(r.Now(), done) {
		r.tellNews()
	}
	return every, done, err
}
