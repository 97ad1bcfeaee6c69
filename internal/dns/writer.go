package dns

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	aws53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// mostTries is how often a change is made anew because somebody else changed the same record sets meanwhile.
const mostTries = 5

// retryStep is by how much each pause between these tries is longer than the one before; the first try comes at once.
const retryStep = 500 * time.Millisecond

// changeComment is what the zone's history shows beside our changes.
const changeComment = "certpace: dns-01 challenge values"

// writer changes one hosted zone, one change at a time: a second one before the first is taken in would get PriorRequestNotComplete. What
// other issuances want meanwhile waits, and goes into the next change together.
type writer struct {
	*route53
	zoneKey
	turn chan struct{} // holds one token while somebody writes

	known map[string]*types.ResourceRecordSet // what this process left, or read, by name; of who has the turn

	mu    sync.Mutex
	queue []*edit
	last  *change // newest change of ours; nil where none is known
}

// edit is what one caller wants changed.
type edit struct {
	deltas  []delta
	urgency urgency
	alone   bool          // merged with others it failed
	gone    bool          // nobody waits for it any more
	done    chan struct{} // closed when changes and err are set
	changes []*change
	err     error
}

func (e *edit) finish(changes []*change, err error) {
	e.changes, e.err = changes, err
	close(e.done)
}

// apply carries out deltas and returns the changes to wait for. Whoever's turn it is writes for all who wait.
func (w *writer) apply(ctx context.Context, ds []delta, u urgency) ([]*change, error) {
	e := &edit{deltas: ds, urgency: u, done: make(chan struct{})}
	w.enqueue(e)
	select {
	case w.turn <- struct{}{}:
	case <-e.done:
		return e.changes, e.err
	case <-ctx.Done():
		w.withdraw(e)
		return nil, ended(ctx.Err())
	}
	defer func() { <-w.turn }()
	select {
	case <-e.done: // by the one before
	default:
		w.lead(ctx, e)
	}
	return e.changes, e.err
}

// lead writes the caller's edit and, merged with it, those that wait. What failed for several together is tried by each alone, so
// that one job's bad name stays its own, and so does the end of one job's time.
func (w *writer) lead(ctx context.Context, own *edit) {
	group, changes, err := w.writeUnread(ctx, own)
	if len(group) == 0 {
		group = w.take(own)
		changes, err = w.write(ctx, group)
	}
	if err == nil || len(group) == 1 {
		for _, e := range group {
			e.finish(changes, err)
		}
		return
	}
	w.handBack(group[1:])
	own.finish(w.write(ctx, group[:1]))
}

func (w *writer) enqueue(e *edit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, e)
}

func (w *writer) dequeue(e *edit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = slices.DeleteFunc(w.queue, func(q *edit) bool { return q == e })
}

// withdraw takes an edit out of the queue. If somebody is writing it already, it may still be done.
func (w *writer) withdraw(e *edit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.gone = true
	w.queue = slices.DeleteFunc(w.queue, func(q *edit) bool { return q == e })
}

// take empties the queue of own, which comes first, and of all that may be merged with it.
func (w *writer) take(own *edit) []*edit {
	w.mu.Lock()
	defer w.mu.Unlock()
	group, rest := []*edit{own}, []*edit(nil)
	for _, e := range w.queue {
		switch {
		case e == own:
		case own.alone || e.alone:
			rest = append(rest, e)
		default:
			group = append(group, e)
		}
	}
	w.queue = rest
	return group
}

func (w *writer) handBack(group []*edit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range group {
		if e.alone = true; !e.gone {
			w.queue = append(w.queue, e)
		}
	}
}

// write reads the record sets, works out the changes and makes them, again where somebody else was faster or an answer was lost: what
// was done after all is found there, and isn't done twice. Where nothing is left to do, our own newest change is the one to wait for.
func (w *writer) write(ctx context.Context, group []*edit) ([]*change, error) {
	ds := deltasOf(group)
	u := slices.MinFunc(group, func(a, b *edit) int { return int(a.urgency - b.urgency) }).urgency
	var made []*change
	var last error
	for n := range mostTries {
		if err := w.wait(ctx, time.Duration(n)*retryStep); err != nil {
			return w.newest(made), err
		}
		f, err := w.attempt(ctx, ds, u, &made)
		if f != raced && f != unclear {
			return w.newest(made), err
		}
		w.log.Debug("changing a hosted zone again", "zone", w.id, "tries", n+1, "cause", err)
		last = err
	}
	return w.newest(made), during(last, "changing hosted zone %s, %d times", w.id, mostTries)
}

func deltasOf(group []*edit) (all []delta) {
	for _, e := range group {
		all = append(all, e.deltas...)
	}
	return all
}

// newest remembers the newest change, or recalls it where none was made.
func (w *writer) newest(made []*change) []*change {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(made) > 0 {
		w.last = made[len(made)-1]
	} else if w.last != nil && !w.last.settled() {
		made = []*change{w.last}
	}
	return made
}

// attempt reads once and makes what changes that asks for, adding them to made.
func (w *writer) attempt(ctx context.Context, ds []delta, u urgency, made *[]*change) (fault, error) {
	read, err := w.recordSets(ctx, namesOf(ds), u)
	if err != nil {
		return none, err
	}
	all, err := swaps(read, ds)
	if err != nil {
		return none, renew.Fail(renew.Never, reason.Configuration, err)
	}
	split, err := batches(all)
	if err != nil { // those who put the values there take them away
		return none, renew.Fail(renew.Never, reason.Configuration, err)
	}
	for _, b := range split {
		c, f, err := w.change(ctx, u, func() []swap { return b })
		if err != nil {
			return f, err
		}
		*made = append(*made, c)
	}
	return none, nil
}

// change sends the batch that there is when its turn comes.
func (w *writer) change(ctx context.Context, u urgency, get func() []swap) (*change, fault, error) {
	c := &change{zone: w.id, role: w.role}
	var batch []swap
	f, err := w.call(ctx, request{actionChange, w.role, u}, func(ctx context.Context, client Route53Client) error {
		batch = get()
		out, err := client.ChangeResourceRecordSets(ctx, &aws53.ChangeResourceRecordSetsInput{
			HostedZoneId: &w.id,
			ChangeBatch:  &types.ChangeBatch{Comment: new(changeComment), Changes: changesOf(batch)},
		})
		if err == nil {
			c.id, c.made = bareID(*out.ChangeInfo.Id), w.Now()
		}
		return err
	})
	w.swapped(batch, err == nil)
	if err == nil {
		w.log.Debug("changed a hosted zone", "zone", w.id, "change", c.id, "names", len(batch))
	}
	return c, f, err
}

// recordSets reads the TXT record sets of names as they are, with what is PENDING, and what stands
// in their place. Listings begin at a name with all of its types: a CNAME comes before TXT.
func (w *writer) recordSets(ctx context.Context, names []string, u urgency) (map[string]*types.ResourceRecordSet, error) {
	read := map[string]*types.ResourceRecordSet{}
	err := sweep(names, func(from string) (next string, err error) {
		err = w.read(ctx, request{actionList, w.role, u}, func(ctx context.Context, client Route53Client) error {
			out, err := client.ListResourceRecordSets(ctx, &aws53.ListResourceRecordSetsInput{
				HostedZoneId: &w.id, StartRecordName: &from,
			})
			if err == nil {
				next, err = keep(out, read)
			}
			return err
		})
		return next, err
	})
	if err != nil {
		return nil, during(err, "reading record sets")
	}
	w.learn(read, names)
	return read, nil
}

// keep keeps what decides about the names of a page, and says where the next one begins.
func keep(out *aws53.ListResourceRecordSetsOutput, read map[string]*types.ResourceRecordSet) (next string, err error) {
	for _, s := range out.ResourceRecordSets {
		stands(read, s)
	}
	if !out.IsTruncated {
		return "", nil
	}
	if out.NextRecordName == nil {
		return "", errors.New("the listing of record sets doesn't say where it goes on")
	}
	return canonicalName(*out.NextRecordName), nil
}
