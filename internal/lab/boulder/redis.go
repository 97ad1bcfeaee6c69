package boulder

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const redisUser = "boulder"

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
