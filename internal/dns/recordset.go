package dns

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/certpace/certpace/internal/renew"
)

// newTTL is the TTL of a record set that we make, in seconds.
const newTTL = 60

// delta is one value that is to be, or not to be, at a name.
type delta struct {
	name   string
	value  string // quoted, as Route 53 has it
	remove bool
}

func additions(records []renew.Record) []delta { return deltas(records, false) }
func removals(records []renew.Record) []delta  { return deltas(records, true) }

func deltas(records []renew.Record, remove bool) []delta {
	all := make([]delta, 0, len(records))
	for _, r := range records {
		all = append(all, delta{canonicalName(r.FQDN), quoted(r.Value), remove})
	}
	return all
}

// quoted is a value as one TXT string.
func quoted(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// swap replaces a record set as it was read by another one; either may be nil. Written as DELETE and CREATE in one batch it is a
// compare-and-swap, because Route 53 deletes only what matches in every value and creates only what isn't there.
type swap struct {
	name     string
	old, new *types.ResourceRecordSet
}

// swaps works out what deltas do to the record sets that were read, by name. Names where nothing changes are left out.
func swaps(read map[string]*types.ResourceRecordSet, ds []delta) ([]swap, error) {
	var all []swap
	for _, name := range namesOf(ds) {
		old := read[name]
		if old != nil && !simple(old) {
			if err := occupied(old, name, ds); err != nil {
				return nil, err
			}
			continue
		}
		before := valuesOf(old)
		if after := applied(before, name, ds); !slices.Equal(before, after) {
			all = append(all, swap{name, old, withValues(old, name, after)})
		}
	}
	return all, nil
}

// namesOf lists the names of deltas, sorted.
func namesOf(ds []delta) []string {
	var names []string
	for _, d := range ds {
		names = append(names, d.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// applied is what values become by the deltas of a name, in their order.
func applied(values []string, name string, ds []delta) []string {
	values = slices.Clone(values)
	for _, d := range ds {
		at := slices.Index(values, d.value)
		switch {
		case d.name != name:
		case d.remove && at >= 0:
			values = slices.Delete(values, at, at+1)
		case !d.remove && at < 0:
			values = append(values, d.value)
		}
	}
	return values
}

func valuesOf(s *types.ResourceRecordSet) []string {
	if s == nil {
		return nil
	}
	values := make([]string, 0, len(s.ResourceRecords))
	for _, r := range s.ResourceRecords {
		values = append(values, *r.Value)
	}
	return values
}

// withValues is a record set like the old one, TTL included, with other values; nil for none.
func withValues(old *types.ResourceRecordSet, name string, values []string) *types.ResourceRecordSet {
	if len(values) == 0 {
		return nil
	}
	s := types.ResourceRecordSet{Name: &name, Type: types.RRTypeTxt, TTL: new(int64(newTTL))}
	if old != nil {
		s = *old
	}
	s.ResourceRecords = nil
	for _, v := range values {
		s.ResourceRecords = append(s.ResourceRecords, types.ResourceRecord{Value: &v})
	}
	return &s
}
