// Package witness is what an outsider sees of a running lab, for the end-to-end tests: the secrets, the CA's own record, the zones, the
// events, the queue, and what the command line prints. It reaches the functions only as AWS does, through schedule and queue, and holds after
// each test that nothing of it is left, and after all of them that no private key was printed anywhere.
//
// Where a test would have to wait for hours, it makes entries of the table older instead; each such method says so.
package witness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/store"
)

// BinariesVariable names the folder with the functions and the command line; without it it is the checkout's .cache/lab.
const BinariesVariable = "LAB_DIR"

// startLimit bounds the start of a lab on a busy machine.
const startLimit = time.Minute

// World is a lab with the queue's mapping running, and everything that was seen of it so far.
type World struct {
	*lab.Cloud
	Table *store.Store

	mailbox mailbox
	keys    keyring

	mu         sync.Mutex
	events     []lab.Event
	neighbours []*Neighbour
}

// Main runs a package's tests in one lab and then holds that none of its keys was printed and none of its processes is left. There is one lab
// a process, because there can be only one Pebble. use is given the lab before the first test.
func Main(m *testing.M, o lab.Options, use func(*World)) (code int) {
	w, err := start(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	use(w)
	code = m.Run()
	if err := w.end(); err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: after all tests: %v\n", err)
		return 1
	}
	return code
}

// Start runs a lab for one test, and holds the same at its end. Where the CA is Pebble there can be
// only one in a process.
func Start(t *testing.T, o lab.Options) *World {
	t.Helper()
	w, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Errorf("after the test: %v", err)
		}
	})
	return w
}

func start(o lab.Options) (*World, error) {
	var err error
	if o.Binaries, err = binaries(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	cloud, err := lab.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	w := &World{Cloud: cloud, Table: store.New(cloud.DynamoDB, cloud.TableName, app.Shard)}
	w.AWS.Before(w.keys.watch)
	w.AWS.After(func(c emulator.Call, a emulator.Answer) { w.mailbox.received(cloud.QueueURL, c, a) })
	if _, err := w.StartMapping(w.mailbox.delivered); err != nil {
		return nil, errors.Join(err, cloud.Close())
	}
	return w, nil
}

// binaries finds what make lab builds. Without it no test can say anything.
func binaries() (string, error) {
	dir := os.Getenv(BinariesVariable)
	if dir == "" {
		root, err := checkout()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, ".cache", "lab")
	}
	for _, name := range []string{"plan/bootstrap", "renew/bootstrap", "certpace"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("looking for the functions to test: %w: run make lab", err)
		}
	}
	return filepath.Abs(dir)
}

// checkout is the nearest folder above the test's that has a go.mod.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("looking for the functions to test: no go.mod above; name their folder by %s", BinariesVariable)
		}
		dir = parent
	}
}

// end searches for keys, closes the lab and looks for what is left of it.
func (w *World) end() error {
	leaked := w.secrecy()
	running, err := children()
	if err == nil && len(running) < labProcesses {
		err = fmt.Errorf("only %d processes of the lab are seen: %v; looking for what is left of them would prove nothing", len(running), running)
	}
	for _, n := range w.neighbours {
		err = errors.Join(err, n.End())
	}
	err = errors.Join(leaked, err, w.Close())
	return errors.Join(err, gone(running))
}

// Kill kills the worker's process, as a machine that dies does: without a word.
func (w *World) Kill() { w.Renew.Kill() }
