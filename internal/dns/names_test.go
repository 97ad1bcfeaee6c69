package dns

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestChallengeName(t *testing.T) {
	for name, row := range map[string]struct{ domain, want string }{
		"a name is looked for below its own label":  {"www.example.com", "_acme-challenge.www.example.com."},
		"a wildcard shares the name of its parent":  {"*.example.com", "_acme-challenge.example.com."},
		"upper case and a final dot make no change": {"WWW.Example.com.", "_acme-challenge.www.example.com."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := challengeName(row.domain); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestSuffixesAreLongestFirst(t *testing.T) {
	want := []string{"a.b.example.", "b.example.", "example."}
	if got := suffixes("a.b.example."); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWithin(t *testing.T) {
	for name, row := range map[string]struct {
		name, apex string
		want       bool
	}{
		"the apex lies in its zone":                      {"example.com.", "example.com.", true},
		"what is below the apex lies in it":              {"a.b.example.com.", "example.com.", true},
		"a name that only ends in the same text doesn't": {"notexample.com.", "example.com.", false},
		"everything lies in the root":                    {"a.", ".", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := within(row.name, row.apex); got != row.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// drawName draws from few labels, some of which sort differently with their dots than without.
func drawName(t *rapid.T) string {
	label := rapid.SampledFrom([]string{"a", "a-a", "a-b", "b", "_acme-challenge", "ab", "0"})
	return strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".") + "."
}

func TestBeforeIsTrueOnlyWhereBothOrdersAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawName(t), drawName(t)
		if got, want := before(a, b), textual(a, b) < 0 && labelwise(a, b) < 0; got != want {
			t.Errorf("before(%s, %s) = %v", a, b, got)
		}
	})
}

func TestASweepSeesEverythingThatIsWantedInEitherOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		listed := rapid.SliceOfDistinct(rapid.Custom(drawName), func(s string) string { return s }).Draw(t, "listed")
		wanted := rapid.SliceOf(rapid.Custom(drawName)).Draw(t, "wanted")
		page := rapid.IntRange(1, 5).Draw(t, "page")
		order := rapid.SampledFrom([]func(a, b string) int{textual, labelwise}).Draw(t, "order")
		slices.SortFunc(listed, order)
		seen, pages := map[string]bool{}, 0
		err := sweep(wanted, func(from string) (string, error) {
			pages++
			at, _ := slices.BinarySearchFunc(listed, from, order)
			end := min(at+page, len(listed))
			for _, name := range listed[at:end] {
				seen[name] = true
			}
			if end == len(listed) {
				return "", nil
			}
			return listed[end], nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range wanted {
			if slices.Contains(listed, name) && !seen[name] {
				t.Errorf("%s was not seen", name)
			}
		}
		if distinct := len(slices.Compact(slices.Sorted(slices.Values(wanted)))); pages > distinct {
			t.Errorf("%d pages for %d names", pages, distinct)
		}
	})
}

func TestASweepReadsOnePageForAllNamesOnIt(t *testing.T) {
	var from []string
	err := sweep([]string{"b.example.", "a.example.", "c.example."}, func(start string) (string, error) {
		from = append(from, start)
		return "d.example.", nil
	})
	if err != nil || !slices.Equal(from, []string{"a.example."}) {
		t.Errorf("pages from %v, %v", from, err)
	}
}
