package lab_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// compiles is a go that builds at once, out of a module with one table. It counts its builds.
const compiles = `case "$1" in
env) echo "go9.9"; echo linux; echo amd64 ;;
list) mkdir -p "$ROOT/module/sa/db"; echo "create table" | tee "$ROOT/module/sa/db/01-boulder_sa.sql" >"$ROOT/module/sa/db/01-boulder_sa_next.sql"; echo "$ROOT/module" ;;
build)
  echo . >>"$ROOT/builds"
  while [ "$1" != -o ]; do shift; done
  echo program | tee "$2/boulder" >"$2/ct-test-srv" ;;
esac`

// breaks is compiles, but for its build.
func breaks(build string) string {
	return `if [ "$1" = build ]; then ` + build + "; fi\n" + compiles
}

func (m machine) builds() int {
	count, _ := os.ReadFile(filepath.Join(m.root, "builds"))
	return strings.Count(string(count), ".")
}

// holdsUnfinished says that nothing in dir could be taken for a Boulder.
func (m machine) holdsUnfinished(dir string) {
	m.t.Helper()
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) > 0 {
		m.t.Errorf("%v is left", left)
	}
}

func TestBoulderIsBuiltOnceForEachVersionAndGo(t *testing.T) {
	m, dir := newMachine(t).has("bin/go", compiles), filepath.Join(t.TempDir(), "boulder")
	for range 2 {
		if out, code := m.run("build", dir); code != 0 || m.builds() != 1 {
			t.Fatalf("exit %d after %d builds: %s", code, m.builds(), out)
		}
	}
	for _, file := range []string{"boulder", "ct-test-srv", "schema/01-boulder_sa.sql", "version"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(dir + "/schema/*_next.sql"); len(left) > 0 {
		t.Errorf("%v isn't what Let's Encrypt runs", left)
	}
	version, _ := os.ReadFile(filepath.Join(dir, "version"))
	if !strings.HasPrefix(string(version), "Boulder v0.") || !strings.HasSuffix(string(version), ", built with go9.9 linux amd64\n") {
		t.Errorf("the version is %q", version)
	}
	m.has("bin/go", strings.Replace(compiles, "go9.9", "go9.10", 1))
	if out, code := m.run("build", dir); code != 0 || m.builds() != 2 {
		t.Errorf("with another Go: exit %d after %d builds: %s", code, m.builds(), out)
	}
}

func TestABoulderThatDoesNotBuildIsOneMessage(t *testing.T) {
	for name, c := range map[string]struct{ build, advice string }{
		"doesn't compile":   {`for i in {1..40}; do echo "line $i of it" >&2; done; exit 1`, "What to do: take the Go that this version was tried with (GOTOOLCHAIN=go1."},
		"no proxy":          {`for i in {1..39}; do echo "line $i"; done; echo "dial tcp: line 40 of it"; exit 1`, "What to do: let this machine reach a Go module proxy"},
		"no C compiler":     {`for i in {1..39}; do echo "line $i"; done; echo 'cgo: C compiler "gcc" not found: line 40 of it'; exit 1`, "apt-get install gcc libc6-dev"},
		"a Go that is old":  {`for i in {1..39}; do echo "line $i"; done; echo "requires go >= 1.27 line 40 of it"; exit 1`, "install the Go that it asks for"},
		"the disk is full":  {`for i in {1..39}; do echo "line $i"; done; echo "no space left on device: line 40 of it"; exit 1`, "make room"},
		"too little memory": {`for i in {1..39}; do echo "line $i"; done; echo "compile: signal: killed: line 40 of it"; exit 1`, "give it memory"},
	} {
		t.Run(name, func(t *testing.T) {
			m, dir := newMachine(t).has("bin/go", breaks(c.build)), filepath.Join(t.TempDir(), "boulder")
			out, code := m.run("build", dir)
			if code != 1 {
				t.Errorf("exit %d", code)
			}
			for _, part := range []string{"scripts/boulder: building Boulder v0.", "with go9.9 linux amd64 failed (exit 1)", "line 40 of it\n", "The whole log: " + dir + ".log\n", c.advice} {
				if strings.Count(out, part) != 1 {
					t.Errorf("%q isn't there once in:\n%s", part, out)
				}
			}
			if strings.Contains(out, "line 10") {
				t.Errorf("more than the log's last lines:\n%s", out)
			}
			if log, _ := os.ReadFile(dir + ".log"); !strings.Contains(string(log), "line 10") {
				t.Errorf("the log isn't whole: %q", log)
			}
			m.holdsUnfinished(dir)
			m.holdsUnfinished(dir + ".building")
		})
	}
}

func TestAModuleWithoutItsTablesIsNoBoulder(t *testing.T) {
	for name, list := range map[string]string{"none of them": `mkdir -p "$ROOT/module/sa/db"; echo "$ROOT/module"`, "no module": "echo no such module >&2; exit 1"} {
		t.Run(name, func(t *testing.T) {
			m, dir := newMachine(t).has("bin/go", `if [ "$1" = list ]; then `+list+"; exit; fi\n"+compiles), filepath.Join(t.TempDir(), "boulder")
			if out, code := m.run("build", dir); code != 1 || !strings.Contains(out, "building Boulder v0.") || !strings.Contains(out, "What to do: ") {
				t.Errorf("exit %d: %s", code, out)
			}
			m.holdsUnfinished(dir)
		})
	}
}

// A build that is stopped ends its compiler. One that is killed leaves nothing that the next takes
// for finished.
func TestABuildThatIsEndedInTheMiddleLeavesNothing(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"stopped": syscall.SIGTERM, "interrupted": syscall.SIGINT, "killed": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			m, dir := newMachine(t), filepath.Join(t.TempDir(), "boulder")
			m.has("bin/go", breaks(`while [ "$1" != -o ]; do shift; done; echo half >"$2/boulder"; echo $$ >"$ROOT/pid.new"; mv "$ROOT/pid.new" "$ROOT/pid"; exec sleep 60`))
			build := m.command(t.Context(), "build", dir)
			if err := build.Start(); err != nil {
				t.Fatal(err)
			}
			compiler := m.pid()
			if err := build.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := build.Wait(); err == nil {
				t.Error("it ended well")
			}
			m.holdsUnfinished(dir)
			if signal == syscall.SIGKILL {
				_ = syscall.Kill(compiler, syscall.SIGKILL)
			} else {
				m.holdsUnfinished(dir + ".building")
			}
			if err := syscall.Kill(compiler, 0); signal != syscall.SIGKILL && !errors.Is(err, syscall.ESRCH) {
				t.Errorf("the compiler goes on: %v", err)
			}
			if out, code := m.has("bin/go", compiles).run("build", dir); code != 0 || m.builds() != 1 {
				t.Errorf("the next one: exit %d after %d builds: %s", code, m.builds(), out)
			}
		})
	}
}

// pid waits for the compiler, and says which process it is.
func (m machine) pid() int {
	m.t.Helper()
	for range 500 {
		if text, err := os.ReadFile(filepath.Join(m.root, "pid")); err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				m.t.Fatal(err)
			}
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Fatal("the build doesn't begin")
	return 0
}

// Whoever works at the product never compiles the CA. No line of it is linked or even pinned there.
func TestTheProductDoesNotKnowBoulder(t *testing.T) {
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "letsencrypt/boulder ") {
			t.Errorf("%s names Boulder", file)
		}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "./...")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "/tools/") {
		t.Errorf("./... has a tool in it:\n%s", out)
	}
}
