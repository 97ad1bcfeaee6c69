package boulder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

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

// startServers starts what Boulder keeps its state in, and the CT logs.
func (b *Boulder) startServers(ctx context.Context) error {
	if err := b.installDatabase(ctx); err != nil {
		return err
	}
	for _, name := range []string{"mariadb", "redis", "ct"} {
		err := b.start(ctx, name)
		if err == nil && name == "mariadb" {
			err = b.schema(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
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
