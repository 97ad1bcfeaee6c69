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

	mu      sync.Mutex
	asked   time.Time
	inSync  bool
	waiters int
}

// look says whether the change is known to be everywhere, and whether somebody has asked within a time. If not, the caller is the
// one to ask.
func (c *change) look(now time.Time, within time.Duration) (done, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fresh = now.Sub(c.asked) < within; !fresh {
		c.asked = now
	}
	return c.inSync, fresh
}

// wait counts one more who waits, or one less, and says whether that is the first or the last.
func (c *change) wait(by int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.waiters
	c.waiters += by
	return before == 0 || c.waiters == 0
}

func (c *change) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inSync = true
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
	for n := 0; ; n++ {
		done, err := r.status(ctx, c)
		if done || err != nil {
			return err
		}
		if !r.Now().Before(end) {
			return renew.Fail(renew.Later, reason.DNSWriteFailed, fmt.Errorf("it is still PENDING after %s", r.limit))
		}
		step := time.Second // it may be its turn to be asked for by then
		if _, others := r.oldest(c); others == 0 {
			step = pause(n)
		}
		if err := r.wait(ctx, step); err != nil {
			return err
		}
	}
}

// watch lists the changes that are being asked for, the oldest first.
func (r *route53) watch(c *change, by int) {
	if !c.wait(by) {
		return
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

// share is how often a change may be asked for: looking takes about half of the requests, however many issuances wait. Changes are taken in about as they
// were made, so most looks are at the oldest, and the next is looked at as soon as that one is known to be everywhere.
func (r *route53) share(c *change) time.Duration {
	each := time.Duration(3 / r.rate * float64(time.Second))
	first, others := r.oldest(c)
	if first {
		return each
	}
	return 4 * time.Duration(others+1) * each
}

// status asks for a change, unless somebody else did a moment ago.
func (r *route53) status(ctx context.Context, c *change) (bool, error) {
	if done, fresh := c.look(r.Now(), r.share(c)); done || fresh {
		return done, nil
	}
	err := r.read(ctx, actionStatus, c.role, func(ctx context.Context, client Route53Client) error {
		out, err := client.GetChange(ctx, &aws53.GetChangeInput{Id: &c.id})
		if err == nil && out.ChangeInfo.Status == types.ChangeStatusInsync {
			c.settle()
		}
		return err
	})
	return c.settled(), err
}
