package store

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

// calendarKept is how long after it began a day of the calendar is kept. Nobody asks for it once it is over.
const calendarKept = 4 * 24 * time.Hour

// bookedAtOnce is how many entries one transaction books: each needs five actions at most, for
// itself, its end, its watch, and two days.
const bookedAtOnce = maxActions / 5

// The attributes of a day's hours: count and sum of rates, "c00" to "c23" and "r00" to "r23".
const (
	markCount = 'c'
	markRate  = 'r'
)

// Hours reads the load of every clock hour from that of from on; an hour without any is left out. It reads the index, so it may lag a
// moment behind bookings. A day that can't be understood is logged and left out: it is over within weeks, and the planner must go on.
func (s *Store) Hours(ctx context.Context, shard string, from time.Time) (map[plan.Hour]plan.Load, error) {
	first := plan.HourOf(from)
	hours := make(map[plan.Hour]plan.Load)
	w := span{partition: partition(s.home(shard), kindCalendar), from: dayOf(first).Time().UnixMilli(), to: math.MaxInt64}
	for it, err := range s.due(ctx, w) {
		if err != nil {
			return nil, err
		}
		loads, err := loadsOf(it)
		if err != nil {
			s.leftOut("reading the calendar", err)
			continue
		}
		for h, l := range loads {
			if h >= first {
				hours[h] = l
			}
		}
	}
	return hours, nil
}

// Book writes entries as SaveCertificates does, each in one transaction with what its place changes
// in the calendar and with its watch; so the calendar counts exactly what is booked. Several share
// a transaction. A repeat of one that landed counts nothing twice. It returns the names of those
// that somebody else had changed, which were left alone. Errors: *plan.Unwritten where all others
// are written; any other means that the rest is not known to be.
func (s *Store) Book(ctx context.Context, shard string, ps []plan.Placement) (conflicts []string, err error) {
	shard = s.home(shard)
	var bad *plan.Unwritten
	groups := s.groups(ps)
	for len(groups) > 0 {
		group := groups[0]
		groups = groups[1:]
		lost, err := s.book(ctx, shard, group)
		if isOwn(err) && len(group) > 1 { // nothing of it is written: each by itself tells whose trouble it is
			groups = append(slices.Collect(slices.Chunk(group, 1)), groups...)
			continue
		}
		for _, b := range group {
			if lost[b.next.Name] {
				conflicts = append(conflicts, b.next.Name)
			}
		}
		switch {
		case isOwn(err):
			bad = bad.With(group[0].next.Name, err)
		case err != nil:
			return conflicts, err
		}
	}
	if bad != nil {
		return conflicts, bad
	}
	return conflicts, nil
}

// booking is a placement as it is to be written.
type booking struct {
	plan.Placement
	next  inventory.Certificate
	token string
}

// groups divides placements into transactions, in their order. A transaction touches no item twice, so a name that comes again begins
// another one.
func (s *Store) groups(ps []plan.Placement) [][]booking {
	var groups [][]booking
	var group []booking
	named := make(map[string]bool)
	for _, p := range ps {
		next := s.nextCertificate(p.Certificate)
		names := []string{next.Name}
		if p.Watch != nil && p.Watch.Certificate != next.Name {
			names = append(names, p.Watch.Certificate)
		}
		if len(group) == bookedAtOnce || slices.ContainsFunc(names, func(n string) bool { return named[n] }) {
			groups, group = append(groups, group), nil
			clear(named)
		}
		for _, n := range names {
			named[n] = true
		}
		token := entry.Token(certificateRecord(next), p.Leaves, p.Watch) // no other write of the entry has it, not even of the same content
		group = append(group, booking{p, next, token})
	}
	if group == nil {
		return groups
	}
	return append(groups, group)
}

// book writes a group in one transaction. Where entries of it were changed meanwhile, or written by this very booking before, the others are
// written without them.
func (s *Store) book(ctx context.Context, shard string, group []booking) (lost map[string]bool, err error) {
	lost = make(map[string]bool)
	for len(group) > 0 {
		failed, err := s.tryBook(ctx, shard, group)
		if err != nil || failed == nil {
			return lost, err
		}
		var refused, rest []booking
		for n, b := range group {
			if slices.Contains(failed, n) {
				refused = append(refused, b)
			} else {
				rest = append(rest, b)
			}
		}
		if err := s.beaten(ctx, refused, lost); err != nil {
			return lost, err
		}
		group = rest
	}
	return lost, nil
}

// tryBook returns which entries weren't as they were read.
func (s *Store) tryBook(ctx context.Context, shard string, group []booking) (failed []int, err error) {
	var entries, rest []types.TransactWriteItem
	var placements []plan.Placement
	for _, b := range group {
		put, err := s.certificatePut(b.next, b.token)
		if err != nil {
			return nil, err
		}
		entries = append(entries, putAction(put))
		placements = append(placements, b.Placement)
		end, err := s.endPut(&b.next)
		if err != nil {
			return nil, err
		}
		rest = append(rest, end...)
		if b.Watch == nil {
			continue
		}
		watch, err := s.watchItem(shard, *b.Watch)
		if err != nil {
			return nil, err
		}
		rest = append(rest, putAction(&types.Put{TableName: &s.table, Item: watch}))
	}
	rest = append(rest, s.dayActions(shard, group[0].token, entry.Moved(placements...))...)
	doing := fmt.Sprintf("booking %d certificates, %s first", len(group), group[0].next.Name)
	return s.commit(ctx, doing, group[0].token, append(entries, rest...)...)
}

// beaten adds to lost whose entry somebody else wrote last: one that carries the booking's own token landed before, and its answer was lost.
func (s *Store) beaten(ctx context.Context, refused []booking, lost map[string]bool) error {
	var pks []string
	for _, b := range refused {
		pks = append(pks, itemKey(b.next.Shard, kindCertificate, b.next.Name))
	}
	items, err := s.getAll(ctx, pks)
	if err != nil {
		return err
	}
	written := make(map[string]string)
	for _, it := range items {
		written[stringOf(it, attrKey)] = stringOf(it, attrToken)
	}
	for n, b := range refused {
		if written[pks[n]] != b.token {
			lost[b.next.Name] = true
		}
	}
	return nil
}

// day is a day of the calendar: whole days since 1970-01-01, UTC.
type day int64

func dayOf(h plan.Hour) day { return day(math.Floor(float64(h) / 24)) }

// Time is the day's first moment, UTC.
func (d day) Time() time.Time { return d.hour(0).Time() }

func (d day) hour(n int) plan.Hour { return plan.Hour(d)*24 + plan.Hour(n) }

// String is the day as keys have it.
func (d day) String() string { return d.Time().Format(time.DateOnly) }

// dayActions add to the counters of the calendar's days, each day in one action.
func (s *Store) dayActions(shard, token string, moved map[plan.Hour]plan.Load) []types.TransactWriteItem {
	days := make(map[day]item)
	for h, l := range moved {
		d := dayOf(h)
		if days[d] == nil {
			days[d] = item{}
		}
		for mark, n := range map[rune]int64{markCount: int64(l.Count), markRate: l.Rate} {
			if n != 0 {
				days[d][fmt.Sprintf("%c%02d", mark, h-d.hour(0))] = number(n)
			}
		}
	}
	var actions []types.TransactWriteItem
	for _, d := range slices.Sorted(maps.Keys(days)) {
		actions = append(actions, types.TransactWriteItem{Update: s.dayUpdate(shard, token, d, days[d])})
	}
	return actions
}

func (s *Store) dayUpdate(shard, token string, d day, added item) *types.Update {
	f := frame{
		pk: itemKey(shard, kindCalendar, d.String()), due: partition(shard, kindCalendar), dueAt: d.Time(),
		expires: d.Time().Add(calendarKept), token: token,
	}
	key, set := f.split()
	names, values := map[string]string{}, item{}
	expression := clause("SET", " = ", "s", set, names, values) + " " + clause("ADD", " ", "a", added, names, values)
	return &types.Update{
		TableName: &s.table, Key: key, UpdateExpression: aws.String(expression),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
}

// loadsOf reads a day's hours; those without any load are left out.
func loadsOf(it item) (map[plan.Hour]plan.Load, error) {
	pk := stringOf(it, attrKey)
	loads, err := readLoads(pk, it)
	if err != nil {
		return nil, entry.Unreadable(pk, err)
	}
	maps.DeleteFunc(loads, func(_ plan.Hour, l plan.Load) bool { return l == plan.Load{} })
	return loads, nil
}

func readLoads(pk string, it item) (map[plan.Hour]plan.Load, error) {
	attributes, err := unwrap(it)
	if err != nil {
		return nil, err
	}
	_, date, _ := strings.Cut(pk, "#"+kindCalendar+"#")
	begins, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil, fmt.Errorf("pk: %.40q is not a day such as 2026-12-01", date)
	}
	loads := make(map[plan.Hour]plan.Load)
	for attribute := range attributes {
		mark, n, known := counter(attribute)
		if !known {
			return nil, fmt.Errorf("%s: certpace doesn't write this attribute", attribute)
		}
		value, err := integer(attributes, attribute)
		if err != nil {
			return nil, err
		}
		h := plan.HourOf(begins) + plan.Hour(n)
		l := loads[h]
		if mark == markCount {
			l.Count = int(value)
		} else {
			l.Rate = value
		}
		loads[h] = l
	}
	return loads, nil
}

// counter says which hour of its day an attribute counts.
func counter(attribute string) (mark rune, hour int, known bool) {
	if len(attribute) != 3 || attribute[0] != markCount && attribute[0] != markRate {
		return 0, 0, false
	}
	hour, err := strconv.Atoi(attribute[1:])
	return rune(attribute[0]), hour, err == nil && hour >= 0 && hour < 24 && attribute[1] != '+' && attribute[1] != '-'
}
