package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/store/entry"
)

// fleetStore is the inventory as the verbs need it; errors are those of renew's and plan's ports.
type fleetStore interface {
	Certificate(ctx context.Context, name string) (inventory.Certificate, error)
	EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error]
	SaveCertificates(ctx context.Context, cs []inventory.Certificate) (conflicts []string, err error)
}

// readable lists what can be read of the fleet. An entry that can't be understood is its own
// trouble alone: it is listed as a certificate that has nothing but a name and, for its status,
// what is wrong with it. Every other error ends the listing.
func readable(ctx context.Context, fleet fleetLister) iter.Seq2[inventory.Certificate, error] {
	return func(yield func(inventory.Certificate, error) bool) {
		for c, err := range fleet.EachCertificate(ctx) {
			if broken, is := illegible(err); is {
				c, err = broken, nil
			}
			if err != nil {
				err = fmt.Errorf("reading the fleet: %w", err)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

type fleetLister interface {
	EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error]
}

// illegible makes a certificate of the error of an entry that can't be understood. Its item's key
// ends in its name.
func illegible(err error) (c inventory.Certificate, is bool) {
	var corrupt *entry.Corrupt
	if !errors.As(err, &corrupt) {
		return c, false
	}
	c.Name = corrupt.Item[strings.LastIndex(corrupt.Item, "#")+1:]
	c.Wanted.Enabled = true // else it would be shown as switched off
	c.Status.Reason, c.Status.Message = reason.Invalid, err.Error()
	return c, true
}

// unknown is the error of a name that somebody gave and that isn't in the inventory.
func unknown(name string) error {
	return fmt.Errorf("certificate %q is not in the inventory; `certpace status` lists what is", name)
}

func sortedByName(m map[string]inventory.Certificate) []inventory.Certificate {
	cs := make([]inventory.Certificate, 0, len(m))
	for _, c := range m {
		cs = append(cs, c)
	}
	slices.SortFunc(cs, func(a, b inventory.Certificate) int { return cmp.Compare(a.Name, b.Name) })
	return cs
}

// brief is a list of names for a table: the first, and how many more.
func brief(names []string) string {
	switch len(names) {
	case 0:
		return "-"
	case 1:
		return names[0]
	}
	return fmt.Sprintf("%s +%d", names[0], len(names)-1)
}
