package dns

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// A change may name at most 1,000 records and 32,000 characters of values, quotes included; what is deleted counts as well.
const (
	mostRecords    = 1_000
	mostCharacters = 32_000
)

// size is what a change weighs against Route 53's limits.
type size struct{ records, characters int }

func (s swap) size() size {
	var z size
	for _, v := range append(valuesOf(s.old), valuesOf(s.new)...) {
		z.records++
		z.characters += len(v)
	}
	return z
}

func (z size) plus(o size) size { return size{z.records + o.records, z.characters + o.characters} }

func (z size) fits() bool { return z.records < mostRecords && z.characters < mostCharacters }

// batches splits swaps, in their order, into as few changes as the limits allow. A record set is never split.
func batches(all []swap) ([][]swap, error) {
	var done [][]swap
	var sum size
	for _, s := range all {
		z := s.size()
		if !z.fits() {
			return nil, fmt.Errorf("%s has %d values with %d characters, more than one change of Route 53 can replace: remove old values there", s.name, len(valuesOf(s.old)), z.characters)
		}
		if len(done) == 0 || !sum.plus(z).fits() {
			done, sum = append(done, nil), size{}
		}
		last := len(done) - 1
		done[last], sum = append(done[last], s), sum.plus(z)
	}
	return done, nil
}

// changesOf words a batch of swaps for Route 53.
func changesOf(batch []swap) []types.Change {
	var all []types.Change
	for _, s := range batch {
		if s.old != nil {
			all = append(all, types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: s.old})
		}
		if s.new != nil {
			all = append(all, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: s.new})
		}
	}
	return all
}
