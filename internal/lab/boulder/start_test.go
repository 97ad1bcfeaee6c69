package boulder

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programs is a folder as scripts/boulder fills it, and a PATH, where each program is a shell
// script. The base system's own stay in the PATH.
func programs(t *testing.T, scripts map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write := func(path, script string) {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(filepath.Join(dir, "schema"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mariadbd", "mariadb-install-db", "mariadb", "redis-cli", "redis-server"} {
		write(filepath.Join(bin, name), scripts[name])
	}
	for _, name := range []string{"boulder", "ct-test-srv"} {
		write(filepath.Join(dir, name), scripts[name])
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	return dir
}

func TestWhatDoesNotStartIsNamedWithItsLastLines(t *testing.T) {
	for _, c := range []struct {
		what    string
		scripts map[string]string
		says    []string
	}{
		{"a database that can't be made", map[string]string{
			"mariadb-install-db": "echo 'FATAL ERROR: no space left on device' >&2; exit 1",
		}, []string{"starting Boulder: mariadb-install-db failed", "no space left on device"}},
		{"a MariaDB that ends at once", map[string]string{
			"mariadbd": "for n in 1 2 3 4 5 6 7 8 9; do echo line $n; done; echo '[ERROR] Aborting'; exit 1",
		}, []string{"starting Boulder: mariadb ended instead of listening on 127.0.0.1:", "[ERROR] Aborting", "line 3"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			b, err := Start(context.Background(), Options{Programs: programs(t, c.scripts), Resolver: "127.0.0.1:53", Dir: dir})
			if err == nil {
				t.Fatal(b.Close(), "it started")
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q isn't in: %v", says, err)
				}
			}
			if n := strings.Count(err.Error(), "line 1\n"); n > 0 {
				t.Errorf("all of the log is in the message: %v", err)
			}
		})
	}
}

func TestAPartThatEndsLeavesNothingRunning(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	dir := programs(t, map[string]string{
		"mariadbd": "echo $$ >" + pid + "; exec sleep 60", // runs, and never listens
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	b, err := Start(ctx, Options{Programs: dir, Resolver: "127.0.0.1:53"})
	if err == nil {
		t.Fatal(b.Close(), "it started")
	}
	if !strings.Contains(err.Error(), "mariadb doesn't listen on") {
		t.Errorf("the message is: %v", err)
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(text))); err == nil {
		t.Error("MariaDB still runs")
	}
}

func TestAPortThatIsTakenIsNamedWithItsPart(t *testing.T) {
	block, err := newPorts(0)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp4", block.addr("mariadb"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first := block["front"]
	dir := filepath.Join(t.TempDir(), "boulder")
	_, err = Start(context.Background(), Options{Programs: programs(t, nil), Resolver: "127.0.0.1:53", Dir: dir, Port: first})
	if err == nil || !strings.Contains(err.Error(), "of mariadb: ") || !strings.Contains(err.Error(), "address already in use") ||
		!strings.Contains(err.Error(), "name the first of 20 other ports") {
		t.Errorf("the message is: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made all the same")
	}
}

func TestBadOptionsAreNamed(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		o    func(Options) Options
		says string
	}{
		{"no resolver", func(o Options) Options { o.Resolver = ""; return o }, "Resolver is empty: give the host:port"},
		{"nothing was built", func(o Options) Options { o.Programs = full; return o }, "run scripts/boulder build"},
		{"a port that can't be", func(o Options) Options { o.Port = 65530; return o }, "Port is 65530: give the first of 20 ports"},
		{"a folder that isn't empty", func(o Options) Options { o.Dir = full; return o }, "isn't empty (it has notes)"},
		{"a limit without a period", func(o Options) Options { o.Limits = Limits{"new-orders-per-account": {Burst: 1, Count: 1}}; return o },
			"new-orders-per-account: period: 0s is too short"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := Start(context.Background(), c.o(Options{Programs: programs(t, nil), Resolver: "127.0.0.1:53"}))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the message is: %v", err)
			}
		})
	}
}
