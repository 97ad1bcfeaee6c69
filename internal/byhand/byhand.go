// Package byhand keeps the lab with Let's Encrypt's own CA up, and tells a person how to reach it:
// what to export for the command line, where the CA's limits are, and, whenever Enter is pressed,
// how each bucket stands at the CA and at certpace.
package byhand

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/lambda"
)

// Options of a lab that is kept up.
type Options struct {
	Binaries string // see lab.Options
	Python   string
	Programs string   // see boulder.Options
	Dir      string   // emptied at the start; what is in it stays, to be read
	Port     int      // the first of the CA's ports
	Zones    []string // hosted zones to make
	Tick     time.Duration
	In       io.Reader // Enter shows the buckets
}

// marker is in a folder that an earlier run made, with its process id, so that neither another
// folder is emptied nor that of a lab that is up.
const marker = "made-by-certpace-boulder"

// startLimit bounds the start.
const startLimit = 2 * time.Minute

// Run keeps it up until ctx ends. Nothing but Dir is left.
func Run(ctx context.Context, out io.Writer, o Options) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(o.Dir, "lab.log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	began := time.Now()
	fmt.Fprintln(out, "starting Let's Encrypt's own CA, an AWS emulator and both functions …")
	cloud, err := start(ctx, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cloud.Close()) }()
	if err := serve(ctx, cloud, o); err != nil {
		return err
	}
	if err := writeEnvironment(cloud, o); err != nil {
		return err
	}
	greet(out, cloud, o, time.Since(began))
	k := keeper{out: out, cloud: cloud, dir: cloud.Boulder.Dir()}
	k.run(ctx, lines(ctx, o.In))
	fmt.Fprintln(out, "\nended; nothing is left running")
	return nil
}

// check empties the folder of an earlier run.
func (o Options) check() error {
	if o.Tick < time.Second {
		return fmt.Errorf("-tick is %s: give a second or more", o.Tick)
	}
	there, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("-dir: %w", err)
	}
	earlier, err := os.ReadFile(filepath.Join(o.Dir, marker))
	if err != nil && len(there) > 0 {
		return fmt.Errorf("-dir is %s, which has something else in it: give a folder that is empty or not there", o.Dir)
	}
	if pid, err := strconv.Atoi(string(earlier)); err == nil && pid != os.Getpid() && syscall.Kill(pid, 0) == nil {
		return fmt.Errorf("-dir is %s, in which process %d keeps a lab up: end it, or give another folder and another -port", o.Dir, pid)
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	return os.WriteFile(filepath.Join(o.Dir, marker), []byte(strconv.Itoa(os.Getpid())), 0o600)
}

func start(ctx context.Context, o Options, log io.Writer) (*lab.Cloud, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return lab.Start(ctx, lab.Options{
		Binaries: o.Binaries, Python: o.Python, Log: log, WorkerTimeout: 30 * time.Second,
		Authority: &boulder.Options{Programs: o.Programs, Dir: filepath.Join(o.Dir, "boulder"), Port: o.Port},
	})
}

// serve makes the zones, and lets planner and worker run.
func serve(ctx context.Context, c *lab.Cloud, o Options) error {
	for _, z := range o.Zones {
		if _, err := c.Zone(ctx, z); err != nil {
			return err
		}
	}
	if _, err := c.StartMapping(nil); err != nil {
		return err
	}
	_, err := c.StartSchedule(o.Tick, func(lambda.Result, error) {}) // its summary is in the log
	return err
}

// lines sends one value for each line of in, until ctx or in ends.
func lines(ctx context.Context, in io.Reader) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case c <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}
