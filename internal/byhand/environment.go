package byhand

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/lab"
)

// writeEnvironment writes what a shell needs: certpace and the CA's redis in the PATH, and the
// environment of both functions.
func writeEnvironment(c *lab.Cloud, o Options) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return err
	}
	command, err := filepath.Abs(filepath.Join(o.Binaries, "certpace"))
	if err != nil {
		return err
	}
	if err := os.Symlink(command, filepath.Join(bin, "certpace")); err != nil {
		return err
	}
	redis := fmt.Sprintf("#!/bin/sh\n# The CA's redis. A bucket's value is the moment at which it is full again, in nanoseconds since 1970.\n"+
		"REDISCLI_AUTH=$(cat %s) exec %s \"$@\"\n", quote(filepath.Join(c.Boulder.Dir(), "secrets/redis")), quoted(c.Boulder.RedisCommand()))
	if err := os.WriteFile(filepath.Join(bin, "ca-redis"), []byte(redis), 0o700); err != nil {
		return err
	}
	var b strings.Builder
	for _, v := range c.Env() {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
	}
	fmt.Fprintf(&b, "export PATH=%s:\"$PATH\"\n", quote(bin))
	return os.WriteFile(filepath.Join(dir, "env"), []byte(b.String()), 0o600)
}

// quote makes text one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, quote(w))
	}
	return strings.Join(all, " ")
}

// greet says what there is, and what to type.
func greet(out io.Writer, c *lab.Cloud, o Options, took time.Duration) {
	dir := filepath.Clean(o.Dir)
	fmt.Fprintf(out, `up after %.1f s. Ctrl-C ends all of it.

  the CA       %s
  its limits   %s (save it, and the parts that enforce them start anew)
  its logs     %s
  its page     for a paused account, the link in certpace status
  zones        %s
  the planner  runs every %s; its worker and it print into %s

In another terminal:

  source %s
  certpace apply -f - <<'END'
  certificates:
    - name: www
      domains: [www.%s]
  END
  certpace status
  certpace budgets
  ca-redis --scan

Press Enter here to see each bucket on both sides.
`, took.Seconds(), c.Directory, relative(c.Boulder.Dir(), "limits.yml"), relative(c.Boulder.Dir(), "log"), strings.Join(o.Zones, ", "),
		o.Tick, filepath.Join(dir, "lab.log"), filepath.Join(dir, "env"), o.Zones[0])
}

// relative is a path as seen from here, where that is shorter.
func relative(parts ...string) string {
	path := filepath.Join(parts...)
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if r, err := filepath.Rel(here, path); err == nil && len(r) < len(path) {
		return r
	}
	return path
}
