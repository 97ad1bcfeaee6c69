package dns

import "slices"

// sweep visits every wanted name in an ordered, paged listing with as few pages as that takes: one page answers for all names
// that lie on it, and what lies between is skipped. list shows the page that begins at a name and says where the next one
// begins, empty for none.
func sweep(wanted []string, list func(from string) (next string, err error)) error {
	rest := slices.Clone(wanted)
	slices.SortFunc(rest, func(a, b string) int { return slices.Compare(reversed(a), reversed(b)) })
	rest = slices.Compact(rest)
	for len(rest) > 0 {
		from := rest[0]
		next, err := list(from)
		if err != nil {
			return err
		}
		rest = slices.DeleteFunc(rest, func(name string) bool { return name == from || onPage(name, from, next) })
	}
	return nil
}

// onPage says whether a page that begins at from, and is followed by one that begins at next, would surely show a name.
func onPage(name, from, next string) bool {
	return before(from, name) && (next == "" || before(name, next))
}
