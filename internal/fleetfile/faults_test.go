package fleetfile

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// After a change of words: `go test ./internal/fleetfile -update`, and read the difference line by line.
var update = flag.Bool("update", false, "write what faulty files get instead of comparing it")

var letsTest = Defaults{Directory: "https://ca.example/directory"}

// Every file of testdata/faults is named for its fault; the file beside it says what its reader is told.
func TestFaultyFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/faults/*.want")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, want := range files {
		file := strings.TrimSuffix(want, ".want")
		t.Run(strings.ReplaceAll(filepath.Base(file), "-", " "), func(t *testing.T) {
			entries, faults := Parse(content(t, file), letsTest)
			if len(entries) != 0 || len(faults) == 0 {
				t.Fatalf("%d entries and %d faults", len(entries), len(faults))
			}
			checkLines(t, faults)
			if *update {
				if err := os.WriteFile(want, []byte(faults.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(content(t, want)), faults.Error()+"\n"); diff != "" {
				t.Errorf("other faults than before (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSevenFaultsGetSevenLines(t *testing.T) {
	_, faults := Parse(content(t, "testdata/faults/seven-faults.yaml"), letsTest)
	lines := strings.Split(faults.Error(), "\n")
	if len(lines) != 7 {
		t.Fatalf("%d lines:\n%s", len(lines), faults.Error())
	}
	for i, line := range []string{"line 5: ", "line 6: ", "line 8: ", "line 9: ", "line 10: ", "line 11: ", "line 13: "} {
		if !strings.HasPrefix(lines[i], line) {
			t.Errorf("line %d of the report is %q, wanted to begin with %q", i+1, lines[i], line)
		}
	}
}

func TestWithoutADefaultCA(t *testing.T) {
	_, faults := Parse([]byte("certificates:\n- name: a\n  domains: [a.example]\n- name: b\n  domains: [b.example]\n"), Defaults{})
	want := "line 2: certificates[0] (a): acme_directory: missing, and there is no default; set CERTPACE_ACME_DIRECTORY, or give the CA's https:// directory URL here"
	if faults.Error() != want {
		t.Errorf("want it said once:\n%s\ngot:\n%s", want, faults.Error())
	}
}

// checkLines holds what every report must be: a line for each fault, in order, with nothing in it that could move a terminal's cursor.
func checkLines(t *testing.T, faults Faults) {
	t.Helper()
	text := faults.Error()
	if n := strings.Count(text, "\n") + 1; n != len(faults) {
		t.Errorf("%d faults in %d lines:\n%s", len(faults), n, text)
	}
	last := 1
	for _, f := range faults {
		if f.Line < last {
			t.Errorf("line %d after line %d", f.Line, last)
		}
		last = f.Line
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("an unprintable character in %q", text[max(0, i-20):i+1])
	}
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
