// Package demo shows certpace's main job from beginning to end, on the lab's cloud: a fleet is applied, planned, issued and stored; then what
// makes it dependable is shown on the same fleet. Whatever it shows it also checks: a demo that shows something else than it says fails.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/certpace/certpace/internal/lab"
)

// Options of a demo.
type Options struct {
	Binaries string // see lab.Options
	Python   string
	Log      string // file for what the lab prints; empty for none
}

// The demo's own pace. Before the worker is killed its time is made as short as one certificate allows: its lease outlives its deadline by
// 30 s, and ends while one watches.
const (
	tick          = 10 * time.Second
	workerTimeout = 30 * time.Second
	killedTimeout = 8 * time.Second
	visibility    = workerTimeout
	dnsDelay      = time.Second
	patience      = 2 * time.Minute
)

// show is a demo under way.
type show struct {
	context.Context
	out     io.Writer
	cloud   *lab.Cloud
	dir     string // for exported files; removed at the end
	began   time.Time
	worker  int // pid of the worker that was killed
	tally   tally
	chapter int
}

// Run plays the demo. It needs about a minute and a half and leaves nothing behind.
func Run(ctx context.Context, out io.Writer, o Options) (err error) {
	s := &show{Context: ctx, out: out, began: time.Now()}
	s.line("certpace, the whole of it, on this machine: both real functions, a CA that really validates (Pebble), DNS that takes a second to settle, an AWS emulator.")
	if s.dir, err = os.MkdirTemp("", "certpace-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	if err := s.start(o); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.cloud.Close()) }()
	for _, act := range []func() error{
		s.apply, s.limit, s.plan, s.issue, s.standing, s.again, s.kill, s.badOne, s.export, s.left, s.resume, s.reissue, s.sum,
	} {
		if err := act(); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) start(o Options) error {
	var log io.Writer
	if o.Log != "" {
		f, err := os.Create(o.Log)
		if err != nil {
			return err
		}
		log = f
	}
	cloud, err := lab.Start(s, lab.Options{
		Binaries: o.Binaries, Python: o.Python, DNSDelay: dnsDelay, ACMERate: 20, WorkerTimeout: workerTimeout, Visibility: visibility, Log: log,
	})
	if err != nil {
		return err
	}
	s.cloud = cloud
	if err := s.zones(); err != nil {
		return errors.Join(err, cloud.Close())
	}
	if _, err := cloud.StartMapping(s.batch); err != nil {
		return errors.Join(err, cloud.Close())
	}
	s.line("The cloud is up after %.1f s: %s", time.Since(s.began).Seconds(), cloud.CA.DirectoryURL())
	return nil
}

// heading opens a chapter.
func (s *show) heading(format string, args ...any) {
	s.chapter++
	fmt.Fprintf(s.out, "\n%s %d. %s\n", s.clock(), s.chapter, fmt.Sprintf(format, args...))
}

func (s *show) line(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// clock is the demo's own time.
func (s *show) clock() string {
	d := time.Since(s.began)
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// run runs the command line and shows the command and what it printed.
func (s *show) run(stdin string, args ...string) (lab.Command, error) {
	s.line("$ certpace %s", join(args))
	r, err := s.cloud.CLI(s, stdin, args...)
	if err != nil {
		return r, err
	}
	fmt.Fprint(s.out, indent(r.Stdout), indent(r.Stderr))
	if r.Code != 0 {
		return r, fmt.Errorf("certpace %s: exit code %d", join(args), r.Code)
	}
	return r, nil
}

// wait sleeps, unless the demo is interrupted.
func (s *show) wait(d time.Duration) error {
	select {
	case <-s.Done():
		return s.Err()
	case <-time.After(d):
		return nil
	}
}

// until waits for something to become true.
func (s *show) until(what string, ok func() (bool, error)) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if done, err := ok(); done || err != nil {
			return err
		}
		if err := s.wait(250 * time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("waiting for %s: not within %s", what, patience)
}

func (s *show) file(name string) string { return filepath.Join(s.dir, name) }
