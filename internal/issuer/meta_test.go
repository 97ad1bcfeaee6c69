package issuer

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

func TestIdentities(t *testing.T) {
	for name, row := range map[string]struct {
		meta map[string]any
		want []string
	}{
		"those of the directory":              {map[string]any{"caaIdentities": []string{"ca.test", "ca.example"}}, []string{"ca.test", "ca.example"}},
		"none where it has no meta":           {nil, nil},
		"none where it names none":            {map[string]any{"website": "https://ca.test"}, nil},
		"what can't be a domain is left out":  {map[string]any{"caaIdentities": []string{"", "a b", "ca.test\"; rm", strings.Repeat("a", 254), "ca.test"}}, []string{"ca.test"}},
		"however often the account is opened": {map[string]any{"caaIdentities": []string{"ca.test"}}, []string{"ca.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(t)
				f.meta = row.meta
				i := newIssuer(f, &memory{})
				for range 2 {
					h, err := i.OpenAccount(t.Context(), "0", caDirectory, freely)
					if err != nil {
						t.Fatal(err)
					}
					if got := h.Identities(); !slices.Equal(got, row.want) {
						t.Errorf("%q, want %q", got, row.want)
					}
				}
			})
		})
	}
}

func TestProfiles(t *testing.T) {
	for name, row := range map[string]struct {
		meta map[string]any
		want []string
	}{
		"those of the directory, by their names": {map[string]any{"profiles": map[string]string{"tlsserver": "https://ca.test/p", "classic": ""}}, []string{"classic", "tlsserver"}},
		"none where it has none":                 {map[string]any{}, nil},
		"what nobody can ask for is left out":    {map[string]any{"profiles": map[string]string{"": "x", "a b": "x", "\x1b[2J": "x", "ok": ""}}, []string{"ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(t)
				f.meta = row.meta
				h, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, freely)
				if err != nil {
					t.Fatal(err)
				}
				if got := h.Profiles(); !slices.Equal(got, row.want) {
					t.Errorf("%q, want %q", got, row.want)
				}
			})
		})
	}
}
