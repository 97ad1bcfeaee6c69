package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tested is a go whose tests print what is given, and which builds as compiles does. It notes what
// it was called with.
func tested(prints string) string {
	return `if [ "$1" = test ]; then echo "BOULDER=$BOULDER BOULDER_DIR=$BOULDER_DIR $*" >>"$ROOT/tests"; ` + prints + "; fi\n" + compiles
}

// proof runs a copy of scripts/proof, since it builds into the checkout that it is in.
func (m machine) proof(form string, environment ...string) (output string, code int) {
	m.t.Helper()
	checkout := filepath.Join(m.root, "checkout")
	for _, file := range []string{"scripts/proof", "scripts/boulder", "tools/boulder/go.mod", "tools/boulder/go.sum"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			m.t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(checkout, file)), 0o755); err != nil {
			m.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(checkout, file), text, 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	return m.runs(exec.CommandContext(m.t.Context(), filepath.Join(checkout, "scripts", "proof"), form), environment...)
}

func (m machine) tests() string {
	calls, _ := os.ReadFile(filepath.Join(m.root, "tests"))
	return string(calls)
}

func TestTheShortFormIsLeftOutAloudWhereItCannotRun(t *testing.T) {
	m := newMachine(t).has("bin/go", tested("exit 1"))
	out, code := m.proof("short")
	if code != 0 || !strings.HasPrefix(out, "LEFT OUT: the tests against Let's Encrypt's own CA: missing: MariaDB 10.11") || !strings.Contains(out, "apt-get install") || strings.Count(out, "\n") != 1 {
		t.Errorf("exit %d, %q", code, out)
	}
	out, code = m.proof("short", "BOULDER=required")
	if code != 1 || !strings.HasPrefix(out, "LEFT OUT: ") || !strings.Contains(out, "may not be left out") {
		t.Errorf("where it is required: exit %d, %q", code, out)
	}
	if m.tests() != "" || m.builds() != 0 {
		t.Errorf("without MariaDB, %d builds and the tests %q", m.builds(), m.tests())
	}
}

func TestAProofIsWhatPassedAndHasRun(t *testing.T) {
	passed, failed, left := `echo "--- PASS: TestOne (61.50s)"`, `echo "--- FAIL: TestTwo (1.00s)"`, `echo "--- SKIP: TestThree (0.00s)"`
	for name, c := range map[string]struct {
		form, prints string
		code         int
		says         string
	}{
		"short, passed":               {"short", passed + "; exit 0", 0, "1 passed, 0 failed, 0 left out"},
		"short, one is left to whole": {"short", passed + ";" + left + "; exit 0", 0, "1 passed, 0 failed, 1 left out"},
		"short, failed":               {"short", "echo why;" + passed + ";" + failed + "; exit 1", 1, "why\n"},
		"short, nothing ran":          {"short", left + "; exit 0", 1, "0 passed, 0 failed, 1 left out"},
		"whole, passed":               {"whole", passed + "; exit 0", 0, "PASS     61.50s  TestOne\n1 passed, 0 failed, 0 left out"},
		"whole, failed":               {"whole", passed + ";" + failed + "; exit 1", 1, "FAIL      1.00s  TestTwo\n1 passed, 1 failed, 0 left out"},
		"whole, one left out":         {"whole", passed + ";" + left + "; exit 0", 1, "1 passed, 0 failed, 1 left out"},
		"whole, nothing ran":          {"whole", "exit 0", 1, "0 passed, 0 failed, 0 left out"},
		"whole, doesn't compile":      {"whole", `echo "FAIL	x [build failed]"; exit 1`, 1, "[build failed]\n0 passed"},
		"whole, takes too long":       {"whole", passed + `; echo "panic: test timed out after 60m"; exit 1`, 1, "panic: test timed out after 60m\n1 passed"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t).hasMariaDB("10.11.19").hasRedis("--tls").has("bin/go", tested(c.prints))
			out, code := m.proof(c.form, "BOULDER=required")
			if code != c.code || !strings.Contains(out, c.says) || !strings.Contains(out, "Boulder v0.") {
				t.Errorf("exit %d, want %d and %q in:\n%s", code, c.code, c.says, out)
			}
			if call := m.tests(); !strings.HasPrefix(call, "BOULDER="+c.form+" BOULDER_DIR="+m.root+"/checkout/.cache/boulder test -count=1 ") || !strings.HasSuffix(call, " ./internal/e2e/boulder/...\n") {
				t.Errorf("the tests were called with %q", call)
			}
		})
	}
}

func TestAProofWithoutABoulderDoesNotBegin(t *testing.T) {
	for _, form := range []string{"short", "whole"} {
		m := newMachine(t).hasMariaDB("10.11.19").hasRedis("--tls").has("bin/go", tested("exit 0"))
		m.has("bin/go", breaks("echo broken; exit 1"))
		if out, code := m.proof(form); code != 1 || strings.Count(out, "What to do: ") != 1 || m.tests() != "" {
			t.Errorf("%s: exit %d after the tests %q:\n%s", form, code, m.tests(), out)
		}
	}
	if out, code := newMachine(t).proof("whole"); code != 1 || !strings.Contains(out, "missing: MariaDB") {
		t.Errorf("whole without MariaDB: exit %d: %s", code, out)
	}
}
