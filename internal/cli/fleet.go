package cli

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/certpace/certpace/internal/inventory"
)

// fleetStore is the inventory as the verbs need it; errors are those of renew's and plan's ports.
type fleetStore interface {
	Certificate(ctx context.Context, name string) (inventory.Certificate, error)
	EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error]
	SaveCertificates(ctx context.Context, cs []inventory.Certificate) (conflicts []string, err error)
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
