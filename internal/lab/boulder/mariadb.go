package boulder

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// installDatabase makes MariaDB's own tables.
func (b *Boulder) installDatabase(ctx context.Context) error {
	install, err := lookPath("mariadb-install-db")
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, install, "--no-defaults", "--datadir="+b.path("mysql"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--user="+asUser()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mariadb-install-db failed: %w; the last that it printed:\n%s", err, lastLines(out))
	}
	return nil
}

// asUser is whom MariaDB runs as. As root it must be told that this is meant.
func asUser() string {
	if os.Getuid() == 0 {
		return "root"
	}
	return os.Getenv("USER")
}

// mariadb needs no durability: what is lost with the machine is of no use afterwards.
func (b *Boulder) mariadb() *exec.Cmd {
	server, err := lookPath("mariadbd")
	if err != nil {
		server = "mariadbd" // starting it says so
	}
	return exec.Command(server, "--no-defaults", "--user="+asUser(), "--datadir="+b.path("mysql"), "--bind-address=127.0.0.1",
		fmt.Sprintf("--port=%d", b.ports["mariadb"]), "--socket="+b.socket(), "--pid-file="+b.path("mysql.pid"), "--skip-name-resolve",
		"--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--max-connections=200")
}

// socket is short: a Unix socket's path has 107 bytes at most.
func (b *Boulder) socket() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("certpace-mariadb-%d.sock", b.ports["mariadb"]))
}

// schema makes the database as Boulder's own files say, and its users. The anonymous users that an
// installation brings would hide those.
func (b *Boulder) schema(ctx context.Context) error {
	const anonymous = "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES;"
	if _, err := b.sql(ctx, anonymous); err != nil {
		return err
	}
	for _, pattern := range []string{"00-create-databases.sql", "01-boulder_sa.sql", "01-incidents_sa.sql", "01-mtcmeta_*[0-9].sql", "02-users.sql"} {
		found, err := filepath.Glob(filepath.Join(b.options.Programs, "schema", pattern))
		if err != nil || len(found) == 0 {
			return fmt.Errorf("making the CA's database: schema/%s isn't in %s: run scripts/boulder build", pattern, b.options.Programs)
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("making the CA's database: %w", err)
			}
			if _, err := b.sql(ctx, string(text)); err != nil {
				return fmt.Errorf("making the CA's database by %s: %w", filepath.Base(file), err)
			}
		}
	}
	return nil
}

// sql runs statements as MariaDB's root, and returns a line for each row, with tabs between its
// values.
func (b *Boulder) sql(ctx context.Context, statements string) ([][]string, error) {
	client := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--user=root", "--socket="+b.socket(), "--batch", "--skip-column-names")
	client.Stdin = strings.NewReader(statements)
	out, err := output(client)
	if err != nil {
		return nil, fmt.Errorf("asking the CA's database: %w", err)
	}
	var rows [][]string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows, nil
}
