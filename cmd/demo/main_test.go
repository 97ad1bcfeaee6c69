package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// beDemo makes this test binary the demo itself, with all of its wiring.
const beDemo = "CERTPACE_TEST_DEMO"

func TestMain(m *testing.M) {
	if os.Getenv(beDemo) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A person who has seen enough presses Ctrl-C, in the middle of an issuance.
func TestAnInterruptedDemoLeavesNothing(t *testing.T) {
	binaries := os.Getenv("LAB_DIR")
	if binaries == "" {
		binaries = filepath.Join("..", "..", ".cache", "lab")
	}
	if _, err := os.Stat(filepath.Join(binaries, "renew", "bootstrap")); err != nil {
		t.Fatalf("%v: run make lab first", err)
	}
	folder := t.TempDir()
	run := exec.Command(os.Args[0], "-lab", binaries)
	run.Env = append(os.Environ(), beDemo+"=1", "TMPDIR="+folder)
	out := &shared{}
	run.Stdout, run.Stderr = out, out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill() })
	until(t, out, "the first certificate", func() bool { return strings.Contains(out.String(), " issued  ") })
	started := below(t, run.Process.Pid)
	if len(started) < 3 {
		t.Errorf("only %d processes of the lab are seen: looking for what is left of them would prove nothing", len(started))
	}
	if err := run.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := run.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasSuffix(out.String(), "\ndemo: interrupted; everything that it started is gone\n") {
		t.Errorf("it ended with %v:\n%s", err, out)
	}
	until(t, out, "the end of its processes", func() bool {
		return !slices.ContainsFunc(started, func(pid int) bool { return syscall.Kill(pid, 0) == nil })
	})
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func until(t *testing.T, out *shared, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s:\n%s", what, out)
		}
	}
}

// below lists the processes that a process has started.
func below(t *testing.T, parent int) (pids []int) {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == strconv.Itoa(parent) {
			pid, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// shared is what a process prints, readable while it does.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
