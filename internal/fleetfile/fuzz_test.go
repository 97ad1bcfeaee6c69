package fleetfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzParse looks for panics, for reports that aren't a line for each fault, and for what parses but is not the same after it was written.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/faults/*", "testdata/fleets/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if len(data) < 4096 && !strings.HasSuffix(file, ".want") {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, faults := Parse(data, letsTest)
		if len(faults) > 0 {
			checkLines(t, faults)
			return
		}
		again, faults := Parse(encode(t, entries...), letsTest)
		if len(faults) > 0 {
			t.Fatalf("what parsed can't be read again: %v", faults)
		}
		if diff := cmp.Diff(entries, again, cmpopts.IgnoreFields(Entry{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("changed on the way (-first +second):\n%s", diff)
		}
	})
}

// FuzzNormalize holds that a name that is taken can be asked for: lower-case ASCII, one asterisk at most, and the same when it comes again;
// and that a fix that is offered is one.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"www.example.com", "*.Example.COM", "bücher.example", "xn--bcher-kva.example", "xn--abc-.example", "a..b", "1.2.3.4", "*.例え。テスト.", "xn--80ak6aa92e.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		name, fault := normalize(raw)
		if fault != "" {
			checkLines(t, Faults{{Line: 1, Message: fault}})
			return
		}
		if again, fault := normalize(name); fault != "" || again != name {
			t.Errorf("%q became %q, and that %q (%s)", raw, name, again, fault)
		}
		if strings.Trim(strings.TrimPrefix(name, "*."), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || !strings.Contains(name, ".") {
			t.Errorf("%q is taken for a DNS name: %q", raw, name)
		}
	})
}
