package fleetfile

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The forms in which a fault says what to write, to be followed by who doesn't think.
var (
	spelling = regexp.MustCompile(`did you mean ("[^"]+")\?$`)
	items    = regexp.MustCompile(`write an item for each: (.*)$`)
	listed   = regexp.MustCompile(`(?:: |; )write (\[.*\]|\{.*\})$`)
	quoted   = regexp.MustCompile(`write (?:it in quotes: |its id alone: |a full name such as |one, such as |one, or )?("(?:[^"\\]|\\.)*")$`)
	chosen   = regexp.MustCompile(`; use ([\w-]+), `)
	example  = regexp.MustCompile(`write one such as ([\w-]+)$|such as (arn:\S+)$|alias \((alias/name)\)$|^".*; write (route53),`)
	given    = regexp.MustCompile(`^"(?:[^"\\]|\\.)*"`)
)

// follow writes into the line what the fault says. ok is false where it says nothing that can be
// written.
func follow(line string, f Fault) (mended string, ok bool) {
	last := f.Path[strings.LastIndexAny(f.Path, ".: ")+1:]
	if m := spelling.FindStringSubmatch(f.Message); m != nil {
		word, err := strconv.Unquote(m[1])
		return strings.Replace(line, last, word, 1), err == nil
	}
	if m := listed.FindStringSubmatch(f.Message); m != nil {
		before, _, found := strings.Cut(line, ":")
		if dash := strings.LastIndex(line, "- "); strings.HasSuffix(last, "]") && dash >= 0 {
			before, found = line[:dash+1], true
		} else {
			before += ":"
		}
		return before + " " + m[1], found
	}
	for _, form := range []*regexp.Regexp{items, quoted, chosen, example} {
		if m := form.FindStringSubmatch(f.Message); m != nil {
			return replaceValue(line, f.Message, strings.Join(m[1:], ""))
		}
	}
	return line, false
}

// replaceValue puts the new value where the one is that the message begins with or, for what isn't
// text, where quotes are missing.
func replaceValue(line, message, value string) (string, bool) {
	if m := given.FindString(message); m != "" {
		raw, err := strconv.Unquote(m)
		if err != nil || raw == "" {
			return strings.Replace(line, `""`, value, 1), strings.Contains(line, `""`)
		}
		for _, form := range []string{m, "'" + raw + "'", raw} {
			if strings.Contains(line, form) {
				return strings.Replace(line, form, value, 1), true
			}
		}
		return line, false
	}
	if bare, err := strconv.Unquote(value); err == nil && bare != "" && strings.Contains(line, bare) {
		return strings.Replace(line, bare, value, 1), true
	}
	if before, found := strings.CutSuffix(strings.TrimRight(line, " ~"), ":"); found {
		return before + ": " + value, true
	}
	return line, false
}

// Whoever does what a fault says must not be told the same again: it is mended, or what is said
// next is something else.
func TestHintsWorkWhenFollowed(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.want")
	if err != nil {
		t.Fatal(err)
	}
	followed := map[string]int{}
	for _, want := range files {
		file := strings.TrimSuffix(want, ".want")
		text := string(content(t, file))
		_, faults := Parse([]byte(text), letsTest)
		for _, f := range faults {
			lines := strings.Split(text, "\n")
			line, ok := follow(lines[f.Line-1], f)
			if !ok {
				continue
			}
			followed[kindOf(f)]++
			lines[f.Line-1] = line
			_, left := Parse([]byte(strings.Join(lines, "\n")), letsTest)
			if slices.ContainsFunc(left, func(g Fault) bool {
				return g.Path == "" || g.Line == f.Line && (g == f || g.Path == f.Path && kindOf(g) == kindOf(f))
			}) {
				t.Errorf("%s\nsays %s\nso it becomes %q\nand that says %v", file, f, line, left)
			}
		}
	}
	if len(followed) < 20 {
		t.Errorf("only %d kinds of hints were followed: %v", len(followed), followed)
	}
}

// kindOf is what a fault says without its value.
func kindOf(f Fault) string { return quotes.ReplaceAllString(f.Message, `"…"`) }

var quotes = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\d+`)

// Several names in one text are the commonest slip of all.
func TestNamesInOneText(t *testing.T) {
	for text, want := range map[string][]string{
		`domains: a.fleet.test, b.fleet.test`:                {"a.fleet.test", "b.fleet.test"},
		`domains: a.fleet.test b.fleet.test`:                 {"a.fleet.test", "b.fleet.test"},
		`domains: "a.fleet.test;b.fleet.test,"`:              {"a.fleet.test", "b.fleet.test"},
		`domains: "*.fleet.test, fleet.test"`:                {"*.fleet.test", "fleet.test"},
		`domains: "*.fleet.test"`:                            {"*.fleet.test"},
		`domains: www.fleet.test`:                            {"www.fleet.test"},
		`domains: ["a.fleet.test, b.fleet.test"]`:            {"a.fleet.test", "b.fleet.test"},
		`domains: [c.fleet.test, "*.fleet.test b.test.org"]`: {"*.fleet.test", "b.test.org", "c.fleet.test"},
	} {
		file := "certificates:\n- name: a\n  " + text + "\n"
		for range 2 { // a hint may lead to another one
			_, faults := Parse([]byte(file), letsTest)
			if len(faults) == 0 {
				break
			}
			lines := strings.Split(file, "\n")
			line, ok := follow(lines[2], faults[0])
			if !ok {
				t.Fatalf("%s: nothing to follow in %v", text, faults)
			}
			lines[2] = line
			file = strings.Join(lines, "\n")
		}
		entries, faults := Parse([]byte(file), letsTest)
		if len(faults) > 0 || !slices.Equal(entries[0].Wanted.Domains, want) {
			t.Errorf("%s\nbecame\n%s\n%v %+v", text, file, faults, entries)
		}
	}
}

// The same for whatever else people write in the place of a list.
func TestAListInOneTextIsWrittenAsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`(\*\.)?(true|null|[a-z]{1,5}|[0-9]{1,3}|0x1f)\.(test|example\.com|org)`), 1, 5, rapid.ID).Draw(t, "names")
		between := rapid.SampledFrom([]string{",", ", ", " ", ";", " , ", "\n"}).Draw(t, "between")
		file := fmt.Sprintf("certificates:\n- name: a\n  domains: %q\n", strings.Join(names, between))
		_, faults := Parse([]byte(file), letsTest)
		if len(faults) != 1 {
			t.Fatalf("%s: %v", file, faults)
		}
		line, ok := follow(strings.Split(file, "\n")[2], faults[0])
		entries, left := Parse([]byte("certificates:\n- name: a\n"+line+"\n"), letsTest)
		slices.Sort(names)
		if !ok || len(left) > 0 || !slices.Equal(entries[0].Wanted.Domains, names) {
			t.Fatalf("%sfollowed: %s\n%v %+v", file, line, left, entries)
		}
	})
}

// A name that is written instead of another one must be a name.
func FuzzNamesThatAreSuggested(f *testing.F) {
	for _, s := range []string{"bücher.example", "*.straße.example.", "xn--abc-.example", ".", "*..", "localhost", "a.b..", "a b.test", "a.test,b.test", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, fault := normalize(raw)
		m := quoted.FindStringSubmatch(fault)
		if m == nil {
			return
		}
		name, err := strconv.Unquote(m[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, again := normalize(name); again != "" && kindOf(Fault{Message: again}) == kindOf(Fault{Message: fault}) {
			t.Errorf("%q: %s\nthat: %s", raw, fault, again)
		}
	})
}
