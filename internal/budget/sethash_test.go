package budget

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The hashes were made with sha256sum of the text that the CA hashes.
func TestSetHash(t *testing.T) {
	for _, tc := range []struct {
		why   string
		names []string
		want  string
	}{
		{"one name is hashed as it is (example.com)", []string{"example.com"},
			"a379a6f6eeafb9a55e378c118034e2751e682fab9f2d30ab13d2125586ce1947"},
		{"names are put in order (*.example.com,b.example.org)", []string{"b.example.org", "*.example.com"},
			"8d8725720861f2a81415cf4ada4c683377b69f7ac5519e6c3ebf03acdc4a1cf3"},
		{"case and repetition don't matter", []string{"B.example.org", "*.Example.com", "b.example.org"},
			"8d8725720861f2a81415cf4ada4c683377b69f7ac5519e6c3ebf03acdc4a1cf3"},
		{"addresses follow names (a.example.com,b.example.com,192.0.2.7,2001:db8::1)",
			[]string{"2001:DB8:0::1", "b.example.com", "192.0.2.7", "a.example.com"},
			"a9af0ac71d8323bb4fd5ef024a27b8d242e25546a1922b0014834585b2f36102"},
		{"no names are the hash of nothing", nil,
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := SetHash(tc.names); got != tc.want {
				t.Errorf("SetHash(%q) = %s; want %s", tc.names, got, tc.want)
			}
		})
	}
}

func TestSetHashIsTheSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,3}\.test`), 1, 6, rapid.ID[string]).Draw(t, "set")
		given := rapid.Permutation(append(slices.Clone(set), set[0])).Draw(t, "given")
		before := slices.Clone(given)
		if SetHash(given) != SetHash(set) {
			t.Fatalf("%q and %q hash differently", given, set)
		}
		if !slices.Equal(given, before) {
			t.Fatal("the names that were given were moved")
		}
		if len(set) > 1 && SetHash(set[1:]) == SetHash(set) {
			t.Fatalf("%q without its first name hashes the same", set)
		}
	})
}
