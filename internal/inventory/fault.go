package inventory

import (
	"errors"
	"fmt"
	"slices"
)

// Fault says what of w makes no sense, whoever is asked for it; nil where all does. The fleet file
// is checked when it is applied, so this finds what was written by hand, or by another program.
// Whether the directory is a URL is for those who ask it.
func (w Wanted) Fault() error {
	switch {
	case len(w.Domains) == 0:
		return errors.New("domains: there is none; apply the fleet file again")
	case w.CSR == "" && !slices.Contains(KeyTypes(), w.KeyType):
		return fmt.Errorf("key_type: %.40q is none of %v; apply the fleet file again", w.KeyType, KeyTypes())
	}
	return nil
}
