package boulder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const redisUser = "boulder"

// findServers says what of MariaDB and redis isn't there.
func findServers() error {
	var missing []string
	for _, program := range []string{"mariadbd", "mariadb-install-db", "mariadb", "redis-cli"} {
		if _, err := lookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if _, _, err := redisServer(); err != nil {
		missing = append(missing, "redis-server")
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: not found; run scripts/boulder install, which says what to install", strings.Join(missing, ", "))
	}
	return nil
}

// lookPath looks where servers are installed, too: not everybody has that in the PATH.
func lookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, e := exec.LookPath(filepath.Join(dir, program)); e == nil {
			return path, nil
		}
	}
	return "", err
}

// redisServer is the program and the name to call it by. Debian's redis-tools have the server
// without its service: redis-check-rdb is the same program, which looks at its own name.
func redisServer() (path, name string, err error) {
	for _, program := range []string{"redis-server", "redis-check-rdb"} {
		if path, err = lookPath(program); err == nil {
			return path, "redis-server", nil
		}
	}
	return "", "", err
}

// startServers starts what Boulder keeps its state in, and the CT logs.
func (b *Boulder) startServers(ctx context.Context) error {
	if err := b.installDatabase(ctx); err != nil {
		return err
	}
	for _, name := range []string{"mariadb", "redis", "ct"} {
		command, err := b.command(name)
		if err == nil {
			err = b.start(ctx, name, command)
		}
		if err == nil && name == "mariadb" {
			err = b.schema(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

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

// redis is without persistence, and with TLS and a password, as Boulder demands.
func (b *Boulder) redis() (*exec.Cmd, error) {
	server, name, err := redisServer()
	if err != nil {
		return nil, err
	}
	password, err := os.ReadFile(b.path("secrets/redis"))
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf(`bind 127.0.0.1
port 0
tls-port %d
tls-protocols "TLSv1.3"
tls-cert-file %q
tls-key-file %q
tls-ca-cert-file %q
save ""
maxmemory-policy noeviction
user default off
user %s on +@all ~* >%s
`, b.ports["redis"], b.path("internal/redis.cert.pem"), b.path("internal/redis.key.pem"), b.path("internal/root.cert.pem"), redisUser, password)
	if err := b.write("redis.conf", []byte(settings)); err != nil {
		return nil, err
	}
	command := exec.Command(server, b.path("redis.conf"))
	command.Args[0] = name
	return command, nil
}

// RedisCommand is the command line that asks the CA's redis; its password is in the environment
// variable REDISCLI_AUTH, so that no list of processes shows it.
func (b *Boulder) RedisCommand(args ...string) []string {
	return append([]string{
		"redis-cli", "--tls", "--cacert", b.path("internal/root.cert.pem"), "--cert", b.path("internal/wfe.cert.pem"), "--key", b.path("internal/wfe.key.pem"),
		"-p", fmt.Sprint(b.ports["redis"]), "--user", redisUser, "--no-auth-warning",
	}, args...)
}

// askRedis returns the lines of an answer; that of a value that isn't there is empty.
func (b *Boulder) askRedis(ctx context.Context, args ...string) ([]string, error) {
	password, err := os.ReadFile(b.path("secrets/redis"))
	if err != nil {
		return nil, fmt.Errorf("asking the CA's redis: %w", err)
	}
	line := b.RedisCommand(args...)
	client := exec.CommandContext(ctx, line[0], line[1:]...)
	client.Env = append(os.Environ(), "REDISCLI_AUTH="+string(password))
	out, err := output(client)
	if err != nil {
		return nil, fmt.Errorf("asking the CA's redis: %w", err)
	}
	return answerLines(out), nil
}

func answerLines(out []byte) []string {
	if len(out) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// output runs a client and makes an error of what it complains about.
func output(client *exec.Cmd) ([]byte, error) {
	var complaint bytes.Buffer
	client.Stderr, client.WaitDelay = &complaint, time.Second
	out, err := client.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(lastLines(complaint.Bytes())))
	}
	return out, nil
}

func lastLines(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
