package dns

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// A change says what it takes away and what it puts in place, and Route 53 refuses it as a whole where that isn't so. So what this process left at
// a name needn't be read again before it is changed, and a name that it never saw most likely has no values yet: where that is wrong nothing is
// done, and it is read. It saves one request of two, of which there are two a second.

// writeUnread makes one change of the caller's edit, and of those that have come to wait by the time at which it is sent, without reading first. The
// group is those that it was made for; it is empty where that can't be done.
func (w *writer) writeUnread(ctx context.Context, own *edit) (group []*edit, made []*change, err error) {
	if _, ok := w.assumed([]*edit{own}); !ok {
		return nil, nil, nil
	}
	w.dequeue(own)
	group = []*edit{own}
	c, f, err := w.change(ctx, own.urgency, func() []swap {
		group = w.join(group)
		batch, _ := w.assumed(group)
		return batch
	})
	if err == nil {
		return group, w.newest([]*change{c}), nil
	}
	if f == raced || f == unclear || f == blocked { // what is there says why
		made, err = w.write(ctx, group)
	}
	return group, made, err
}

// assumed works out the change that edits ask for where their names have the values that are known, or none. It is false where one of them then asks
// for nothing, as what isn't known can't be taken away; and where it is more than one change.
func (w *writer) assumed(edits []*edit) (batch []swap, ok bool) {
	ds := deltasOf(edits)
	values := map[string][]string{}
	for _, d := range ds {
		before, seen := values[d.name]
		if !seen {
			before = valuesOf(w.known[d.name])
		}
		values[d.name] = applied(before, d.name, []delta{d})
		if slices.Equal(before, values[d.name]) {
			return nil, false
		}
	}
	all, err := swaps(w.known, ds)
	if err != nil {
		return nil, false
	}
	split, err := batches(all)
	if err != nil || len(split) != 1 {
		return nil, false
	}
	return split[0], true
}

// join takes out of the queue what can go into one change with a group.
func (w *writer) join(group []*edit) []*edit {
	w.mu.Lock()
	defer w.mu.Unlock()
	var rest []*edit
	for _, e := range w.queue {
		larger := append(slices.Clone(group), e)
		if _, ok := w.assumed(larger); ok && !e.alone && !group[0].alone {
			group = larger
		} else {
			rest = append(rest, e)
		}
	}
	w.queue = rest
	return group
}

// learn notes what names have now.
func (w *writer) learn(sets map[string]*types.ResourceRecordSet, names []string) {
	for _, name := range names {
		if s := sets[name]; s != nil {
			w.known[name] = s
		} else {
			delete(w.known, name)
		}
	}
}

// swapped notes what names have now, where a change was made, and otherwise that it isn't known.
func (w *writer) swapped(batch []swap, made bool) {
	for _, s := range batch {
		delete(w.known, s.name)
		if made && s.new != nil {
			w.known[s.name] = s.new
		}
	}
}
