package fleetfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// alike holds a file that is read in pieces to the same file read as a whole.
func alike(t *testing.T, data []byte, size int) (inPieces bool) {
	t.Helper()
	want, faults := parseIn(data, letsTest, len(data))
	got, found := parseIn(data, letsTest, size)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("in pieces of %d the entries differ:\n%s", size, diff)
	}
	if diff := cmp.Diff(faults, found, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("in pieces of %d the faults differ:\n%s", size, diff)
	}
	all, _ := pieces(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), size)
	return len(all) > 1
}

func TestAFileInPiecesIsTheSameFile(t *testing.T) {
	list := func(n int, item string) (text string) {
		for i := range n {
			text += fmt.Sprintf(item, i, i)
		}
		return text
	}
	for name, row := range map[string]struct {
		text   string
		pieces bool
	}{
		"YAML":                              {"certificates:\n" + list(9, "- name: n%d\n  domains: [n%d.example.com]\n"), true},
		"indented, with blanks and words":   {"---\n# all\n\ncertificates:\n" + list(9, "\n  # one\n  - name: n%d\n\n    domains:\n    - n%d.example.com\n    # of it\n    - x.example.com\n"), true},
		"with CR and LF":                    {strings.ReplaceAll("certificates:\n"+list(9, "- name: n%d\n  domains: [n%d.example.com]\n"), "\n", "\r\n"), true},
		"behind a byte order mark":          {"\ufeffcertificates:\n" + list(9, "- name: n%d\n  domains: [n%d.example.com]\n"), true},
		"fields behind the dash's own line": {"certificates:\n" + list(9, "-\n  name: n%d\n  domains: [n%d.example.com]\n"), false},
		"texts of several lines":            {"certificates:\n" + list(9, "- name: n%d\n  preferred_chain: |\n    - name: x\n  domains: [n%d.example.com]\n"), true},
		"lists over several lines":          {"certificates:\n" + list(9, "- name: n%d\n  domains: [\n    n%d.example.com,\n    \"- x\"]\n"), true},
		"a list that comes back to the side": {
			"certificates:\n" + list(9, "- name: n%d\n  domains: [\nn%d.example.com]\n"), false},
		"faults in each":               {"certificates:\n" + list(9, "- name: N%d\n  domain: [n%d.example.com]\n  enabled: 7\n"), true},
		"names that are used twice":    {"certificates:\n" + strings.Repeat("- name: n\n  domains: [example.com]\n", 5), true},
		"a second field":               {"certificates:\n" + list(9, "- name: n%d\n  domains: [n%d.example.com]\n") + "more: 1\n", false},
		"a second document":            {"certificates:\n" + list(9, "- name: n%d\n  domains: [n%d.example.com]\n") + "---\na: b\n", false},
		"a syntax error in the middle": {"certificates:\n" + list(4, "- name: n%d\n  domains: [n%d.example.com]\n") + "- name: [\n" + list(4, "- name: x%d\n  domains: [n%d.example.com]\n"), true},
		"a text in quotes that has dashes": {
			"certificates:\n- name: \"a\n- b\"\n  domains: [a.example.com]\n" + list(4, "- name: x%d\n  domains: [n%d.example.com]\n"), true},
		"JSON":                         {`{"certificates":[` + strings.TrimSuffix(list(9, "{\"name\":\"n%d\",\n\"domains\":[\"n%d.example.com\"]}\n , "), ", ") + "]}\n", true},
		"JSON with faults":             {`{"certificates": [` + strings.TrimSuffix(list(9, "{\"name\":\"N%d\",\n\"domains\":\"n%d.example.com\"},\n"), ",\n") + "\n]}", true},
		"JSON with something else":     {`{"certificates":[{"name":"a","domains":["a.example.com"]},7,null,[]]}`, true},
		"JSON with a second field":     {`{"certificates":[{"name":"a","domains":["a.example.com"]},{"name":"b","domains":["a.example.com"]}],"x":1}`, false},
		"JSON that something follows":  {`{"certificates":[{"name":"a","domains":["a.example.com"]},{"name":"b","domains":["a.example.com"]}]} x`, false},
		"YAML in the brackets of JSON": {`{certificates: [{name: a, domains: [a.example.com]}, {name: b, domains: [b.example.com]}]}`, false},
		"no list":                      {"certificates: 7\n", false},
		"nothing":                      {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 40, 100} {
				if got := alike(t, []byte(row.text), size); size == 1 && got != row.pieces {
					t.Errorf("it is taken apart: %v", got)
				}
			}
		})
	}
}

func TestTheFilesOfTestdataAreTheSameInPieces(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) < 1<<16 && !strings.HasSuffix(file, ".want") {
			t.Run(file, func(t *testing.T) { alike(t, data, 1) })
		}
	}
}

func FuzzPieces(f *testing.F) {
	f.Add([]byte("certificates:\n- name: a\n  domains: [a.example.com]\n- name: b\n  domains:\n  - b.example.com\n"), 1)
	f.Add([]byte("---\ncertificates:\n  - {name: a, domains: [a.example.com]}\n  # x\n  - name: |\n      b\n    domains: c\n"), 1)
	f.Add([]byte(`{"certificates":[{"name":"a","domains":["a.example.com"]}, {"name":"b"}]}`), 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) { alike(t, data, max(size, 1)) })
}

func TestAFileBeyondItsBoundsIsRefused(t *testing.T) {
	item := []byte("- {name: a, domains: [a.example.com]}\n")
	for name, row := range map[string]struct {
		data []byte
		says string
	}{
		"more certificates in YAML than a fleet has": {append([]byte("certificates:\n"), bytes.Repeat(item, MaxCertificates+1)...), "has 500001 certificates, and 500000 are the most; split it"},
		"in JSON, too":                          {append(append([]byte(`{"certificates":[0`), bytes.Repeat([]byte(",0"), MaxCertificates)...), "]}"...), "has 500001 certificates, and 500000 are the most; split it"},
		"a large one that can't be taken apart": {append([]byte("x: 1\ncertificates:\n"), bytes.Repeat(item, mostWhole/len(item)+1)...), "16777216 are the most for one that isn't plainly a list"},
		"more bytes than are looked at":         {make([]byte, MaxBytes+1), "has 536870913 bytes, and 536870912 are the most; split it"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, faults := Parse(row.data, letsTest)
			if len(entries) > 0 || len(faults) != 1 || !strings.Contains(faults.Error(), row.says) {
				t.Errorf("got %d entries, %.300v", len(entries), faults)
			}
		})
	}
}
