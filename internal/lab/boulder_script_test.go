package lab_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machine is a PATH that has what the scripts are written with, and otherwise only what a test puts
// there.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t, t.TempDir()}
	for _, dir := range []string{"bin", "sbin"} {
		if err := os.Mkdir(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range strings.Fields("awk bash cat chmod cp dirname env flock grep mkdir mktemp mv paste realpath rm sed sha256sum sleep tail tee timeout true") {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.root, "bin", tool)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// has puts a program there, as bin/NAME or sbin/NAME, with what it does in words of the shell.
func (m machine) has(program, script string) machine {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.root, program), []byte("#!/usr/bin/env bash\n"+script+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	return m
}

func (m machine) hasMariaDB(version string) machine {
	return m.has("sbin/mariadbd", `echo "mariadbd  Ver `+version+`-MariaDB for debian-linux-gnu on x86_64"`).has("bin/mariadb-install-db", "").has("bin/mariadb", "")
}

func (m machine) hasRedis(help string) machine {
	return m.has("bin/redis-server", `echo "Redis server v=7.0.15 sha=00000000:0"`).has("bin/redis-cli", `echo "`+help+`"`)
}

func (m machine) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join("..", "..", "scripts", "boulder"), args...)
	m.prepare(c)
	return c
}

func (m machine) prepare(c *exec.Cmd, environment ...string) {
	c.Env = append([]string{"PATH=" + filepath.Join(m.root, "bin"), "TMPDIR=" + m.t.TempDir(), "HOME=" + m.root, "ROOT=" + m.root}, environment...)
	c.WaitDelay = 5 * time.Second
}

func (m machine) run(args ...string) (output string, code int) {
	m.t.Helper()
	return m.runs(m.command(m.t.Context(), args...))
}

func (m machine) runs(c *exec.Cmd, environment ...string) (output string, code int) {
	m.t.Helper()
	m.prepare(c, environment...)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return string(out), 0
}

func TestWhatBoulderNeedsIsFoundOrNamedInOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		machine func(machine) machine
		code    int
		says    []string
	}{
		"nothing is there": {func(m machine) machine { return m }, 1,
			[]string{"MariaDB 10.11 or newer (no mariadbd mariadb-install-db mariadb on PATH)", "redis (no redis-server on PATH)", "apt-get install --no-install-recommends mariadb-server-core mariadb-client-core redis-tools"}},
		"no redis":              {func(m machine) machine { return m.hasMariaDB("10.11.19") }, 1, []string{"missing: redis (no redis-server on PATH)."}},
		"no MariaDB":            {func(m machine) machine { return m.hasRedis("--tls") }, 1, []string{"missing: MariaDB 10.11 or newer (no mariadbd mariadb-install-db mariadb on PATH)."}},
		"an old MariaDB":        {func(m machine) machine { return m.hasMariaDB("10.6.22").hasRedis("--tls") }, 1, []string{"missing: MariaDB 10.11 or newer (", "sbin/mariadbd is 10.6.22)."}},
		"a redis without TLS":   {func(m machine) machine { return m.hasMariaDB("10.11.19").hasRedis("-h -p") }, 1, []string{"missing: redis with TLS (", "has no --tls)."}},
		"both, MariaDB in sbin": {func(m machine) machine { return m.hasMariaDB("10.11.19").hasRedis("--tls") }, 0, []string{"MariaDB 10.11.19 (", "redis 7.0.15 ("}},
		"a newer MariaDB":       {func(m machine) machine { return m.hasMariaDB("11.8.3").hasRedis("--tls") }, 0, []string{"MariaDB 11.8.3 ("}},
		"a MariaDB that tells nothing": {func(m machine) machine {
			return m.hasMariaDB("10.11.19").has("sbin/mariadbd", "exit 1").hasRedis("--tls")
		}, 1, []string{"of no version that it tells"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := c.machine(newMachine(t)).run("find")
			if code != c.code || strings.Count(out, "\n") != 1 {
				t.Errorf("exit %d and %q; want exit %d and one line", code, out, c.code)
			}
			for _, part := range c.says {
				if !strings.Contains(out, part) {
					t.Errorf("%q doesn't say %q", out, part)
				}
			}
		})
	}
}

// Debian's redis-tools has the server under the name of a tool. It is the server only where it is
// called redis-server.
func TestRedisIsFoundUnderTheNameOfItsTool(t *testing.T) {
	m := newMachine(t).hasMariaDB("10.11.19").hasRedis("--tls")
	if err := os.Remove(filepath.Join(m.root, "bin", "redis-server")); err != nil {
		t.Fatal(err)
	}
	if out, code := m.has("bin/redis-check-rdb", `echo "Usage: redis-check-rdb <rdb-file-name>"; exit 1`).run("find"); code != 1 || !strings.Contains(out, "no redis-server") {
		t.Errorf("a tool that is no server was taken for one: exit %d, %s", code, out)
	}
	if out, code := m.has("bin/redis-check-rdb", `echo "Redis server v=7.0.15 sha=00000000:0"`).run("find"); code != 0 || !strings.Contains(out, "bin/redis-check-rdb)") {
		t.Errorf("exit %d, %s", code, out)
	}
}

func TestWhatBoulderNeedsIsInstalledOrToldHow(t *testing.T) {
	root, other := "echo 0", "echo 1000"
	// apt-get that installs what it is asked for: the programs that the packages have.
	working := `echo "$*" >>"$ROOT/calls"
case "$*" in *" install "*)
  printf '#!/usr/bin/env bash\necho "mariadbd  Ver 10.11.19-MariaDB"\n' >"$ROOT/sbin/mariadbd"
  printf '#!/usr/bin/env bash\n' | tee "$ROOT/bin/mariadb" >"$ROOT/bin/mariadb-install-db"
  printf '#!/usr/bin/env bash\necho "Redis server v=7.0.15"\n' >"$ROOT/bin/redis-check-rdb"
  printf '#!/usr/bin/env bash\necho "--tls"\n' >"$ROOT/bin/redis-cli"
  chmod +x "$ROOT"/*bin/mariadb* "$ROOT"/bin/redis-*;;
esac`
	for name, c := range map[string]struct {
		machine func(machine) machine
		code    int
		says    string
		calls   []string
	}{
		"it is there": {func(m machine) machine { return m.hasMariaDB("10.11.19").hasRedis("--tls").has("bin/apt-get", working) }, 0, "MariaDB 10.11.19", nil},
		"no apt-get":  {func(m machine) machine { return m.has("bin/id", root) }, 1, "There is no apt-get here", nil},
		"nobody may":  {func(m machine) machine { return m.has("bin/id", other).has("bin/apt-get", working) }, 1, `Installing needs root: run "sudo apt-get install`, nil},
		"root, known": {func(m machine) machine {
			return m.has("bin/id", root).has("bin/apt-get", working).has("bin/apt-cache", "")
		}, 0, "redis 7.0.15", []string{"--no-install-recommends install mariadb-server-core mariadb-client-core redis-tools"}},
		"root, unknown": {func(m machine) machine {
			return m.has("bin/id", root).has("bin/apt-get", working).has("bin/apt-cache", "exit 100")
		}, 0, "redis 7.0.15", []string{" update", " install "}},
		"by sudo": {func(m machine) machine {
			return m.has("bin/id", other).has("bin/sudo", `[ "$1" = -n ] && shift && exec "$@"`).has("bin/apt-get", working).has("bin/apt-cache", "")
		}, 0, "redis 7.0.15", []string{" install "}},
		"apt-get fails": {func(m machine) machine {
			return m.has("bin/id", root).has("bin/apt-get", `echo "E: Unable to locate package"; exit 100`).has("bin/apt-cache", "")
		}, 1, "| E: Unable to locate package", nil},
		"what apt-get has is too old": {func(m machine) machine {
			return m.has("bin/id", root).has("bin/apt-cache", "").has("bin/apt-get", strings.Replace(working, "10.11.19", "10.5.29", 1))
		}, 1, "mariadbd is 10.5.29)", []string{" install "}},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.machine(newMachine(t))
			out, code := m.run("install")
			if code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("exit %d, want %d and %q in:\n%s", code, c.code, c.says, out)
			}
			calls, _ := os.ReadFile(filepath.Join(m.root, "calls"))
			lines := strings.Split(strings.TrimSpace(string(calls)), "\n")
			if len(c.calls) == 0 && len(calls) > 0 || len(c.calls) > 0 && len(lines) != len(c.calls) {
				t.Fatalf("apt-get was called with %q, want %q", lines, c.calls)
			}
			for i, call := range c.calls {
				if !strings.Contains(lines[i], call) {
					t.Errorf("apt-get was called with %q, want %q in it", lines[i], call)
				}
			}
		})
	}
}
