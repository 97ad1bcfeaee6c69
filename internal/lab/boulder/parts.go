package boulder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/lab/child"
	"github.com/certpace/certpace/internal/wait"
)

// part is one process.
type part struct {
	*child.Process
	log *os.File
}

// components are Boulder's own, with the command of each, in the order in which they start.
var components = []struct{ part, command string }{
	{"sa", "boulder-sa"}, {"publisher", "boulder-publisher"}, {"rva0", "remoteva"}, {"rva1", "remoteva"}, {"rva2", "remoteva"},
	{"va", "boulder-va"}, {"ra-sct", "boulder-ra"}, {"ca", "boulder-ca"}, {"ra", "boulder-ra"}, {"nonce", "nonce-service"},
	{"wfe2", "boulder-wfe2"}, {"sfe", "sfe"},
}

// startOrder is that of all processes.
var startOrder = []string{
	"mariadb", "redis", "ct", "sa", "publisher", "rva0", "rva1", "rva2", "va", "ra-sct", "ca", "ra", "nonce", "wfe2", "sfe",
}

// Parts are the names of all processes, in the order in which they start.
func Parts() []string { return slices.Clone(startOrder) }

const (
	grace  = 12 * time.Second // longer than the parts wait for what they are answering
	opened = 20 * time.Second // until a part listens
)

// Stop ends parts as an operator does, the last named first. One that doesn't run is left alone.
func (b *Boulder) Stop(names ...string) error {
	return b.end(names, func(p *part) error { return p.Stop(grace) })
}

// Kill ends parts without a word, as a machine that dies does.
func (b *Boulder) Kill(names ...string) error {
	return b.end(names, func(p *part) error { return p.Kill() })
}

func (b *Boulder) end(names []string, how func(*part) error) error {
	var faults []error
	for _, name := range slices.Backward(names) {
		b.mu.Lock()
		p := b.parts[name]
		delete(b.parts, name)
		b.mu.Unlock()
		if p != nil {
			faults = append(faults, how(p), p.log.Close())
		}
	}
	return errors.Join(faults...)
}

// Restart stops parts that run and starts them, in the order given.
func (b *Boulder) Restart(ctx context.Context, names ...string) error {
	if err := b.Stop(names...); err != nil {
		return err
	}
	return b.StartParts(ctx, names...)
}

// StartParts starts parts that don't run, in the order given, each when the one before listens.
func (b *Boulder) StartParts(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := b.start(ctx, name); err != nil {
			return err
		}
	}
	return b.awaitDirectory(ctx)
}

// PIDs are the process ids of the parts that run.
func (b *Boulder) PIDs() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := map[string]int{}
	for name, p := range b.parts {
		ids[name] = p.PID()
	}
	return ids
}

// command is how a part is started.
func (b *Boulder) command(name string) (*exec.Cmd, error) {
	switch name {
	case "mariadb":
		return b.mariadb(), nil
	case "redis":
		return b.redis()
	case "ct":
		return exec.Command(filepath.Join(b.options.Programs, "ct-test-srv"), "--config", b.path("ct.json")), nil
	}
	for _, c := range components {
		if c.part == name {
			return exec.Command(filepath.Join(b.options.Programs, "boulder"), c.command, "--config", b.path("config", name+".json")), nil
		}
	}
	return nil, fmt.Errorf("Boulder has no part %q; there are %s", name, strings.Join(startOrder, ", "))
}

// start runs a part and returns when it listens. Else it says what the part printed last.
func (b *Boulder) start(ctx context.Context, name string) error {
	command, err := b.command(name)
	if err != nil {
		return err
	}
	log, err := b.openLog(name)
	if err != nil {
		return err
	}
	command.Dir = b.dir
	p, err := child.Start(name, command, both{log, b.options.Log})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	b.mu.Lock()
	b.parts[name] = &part{p, log}
	b.mu.Unlock()
	if err := b.awaitPort(ctx, p, b.ports.addr(name)); err != nil {
		return fmt.Errorf("%s %w; the last that it printed:\n%s", name, err, lastLines([]byte(p.Tail())))
	}
	return nil
}

func (b *Boulder) openLog(name string) (*os.File, error) {
	if err := os.MkdirAll(b.path("log"), 0o700); err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	log, err := os.OpenFile(b.path("log", name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	return log, nil
}

// both writes to both, whatever becomes of it: a full disk must not end the CA.
type both struct {
	file, also interface{ Write([]byte) (int, error) }
}

func (w both) Write(p []byte) (int, error) {
	_, _ = w.file.Write(p)
	_, _ = w.also.Write(p)
	return len(p), nil
}

// awaitPort returns when a process listens, or an error as the rest of a sentence.
func (b *Boulder) awaitPort(ctx context.Context, p *child.Process, address string) error {
	ctx, cancel := context.WithTimeout(ctx, opened)
	defer cancel()
	for {
		if conn, err := net.DialTimeout("tcp4", address, time.Second); err == nil {
			return conn.Close()
		}
		if !p.Running() {
			return errors.New("ended instead of listening on " + address)
		}
		if wait.Sleep(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("doesn't listen on %s after %s", address, opened)
		}
	}
}

func (b *Boulder) startComponents(ctx context.Context) error {
	var names []string
	for _, c := range components {
		names = append(names, c.part)
	}
	return b.StartParts(ctx, names...)
}
