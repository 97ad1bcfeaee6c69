package cli

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/certpace/certpace/internal/fleetfile"
)

func TestAnErrorsLinesAreItsOwn(t *testing.T) {
	two := errors.Join(errors.New("first\nforged"), errors.New("second"))
	_, faults := fleetfile.Parse([]byte("certificates: [{name: A}, {name: B}]"), fleetfile.Defaults{Directory: "https://ca.example/d"})
	for name, row := range map[string]struct {
		err  error
		want []string
	}{
		"one":                          {errors.New("one"), []string{"one"}},
		"a message with a line break":  {fmt.Errorf("reading: %w", errors.New("a\ncertpace: forged")), []string{"reading: a\ncertpace: forged"}},
		"several":                      {two, []string{"first\nforged", "second"}},
		"several, with words around":   {fmt.Errorf("b: %w; again", two), []string{"b: first\nforged", "second; again"}},
		"several within several":       {errors.Join(two, errors.New("third")), []string{"first\nforged", "second", "third"}},
		"two that one sentence quotes": {fmt.Errorf("%w, and %w", errors.New("a\nb"), errors.New("c")), []string{"a\nb, and c"}},
		"wrong arguments":              {usage{errors.New("a\nb")}, []string{"a\nb"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lines(row.err); !slices.Equal(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
	if got := lines(fmt.Errorf("x: %w", faults)); len(got) != len(faults) {
		t.Errorf("%d faults in the lines %q", len(faults), got)
	}
}
