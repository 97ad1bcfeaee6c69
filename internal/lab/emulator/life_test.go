package emulator_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/certpace/certpace/internal/lab/emulator"
)

func TestStart(t *testing.T) {
	t.Run("without its Python it says how to build it", func(t *testing.T) {
		t.Setenv(emulator.PythonVariable, filepath.Join(t.TempDir(), "bin", "python"))
		_, err := emulator.Start(t.Context(), emulator.Options{})
		if err == nil || !strings.Contains(err.Error(), "setup.sh") {
			t.Errorf("got %v; want an error that names setup.sh", err)
		}
	})
	t.Run("a Python that fails is shown by its own words", func(t *testing.T) {
		broken := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(broken, []byte("#!/bin/sh\necho No module named moto >&2; exit 1\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := emulator.Start(t.Context(), emulator.Options{Python: broken})
		if err == nil || !strings.Contains(err.Error(), "No module named moto") {
			t.Errorf("got %v; want what it printed", err)
		}
	})
	t.Run("a start that is given up leaves nothing", func(t *testing.T) {
		stuck := filepath.Join(t.TempDir(), "python")
		if err := os.WriteFile(stuck, []byte("#!/bin/sh\nexec sleep 3600\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := emulator.Start(ctx, emulator.Options{Python: stuck})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want the context's error", err)
		}
	})
	t.Run("nothing of this process's environment leads its clients elsewhere", func(t *testing.T) {
		t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
		t.Setenv("AWS_PROFILE", "elsewhere")
		who, err := sts.NewFromConfig(shared(t).Config()).GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Account != emulator.Account {
			t.Errorf("got %v, %v; want account %s", who, err, emulator.Account)
		}
	})
	t.Run("its folder is gone once it runs", func(t *testing.T) {
		folder := t.TempDir() // of this test alone: others start emulators meanwhile
		t.Setenv("TMPDIR", folder)
		started, err := emulator.Start(t.Context(), emulator.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer started.Close()
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func TestCloseEndsTheProcess(t *testing.T) {
	started, err := emulator.Start(t.Context(), emulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := url.Parse(started.URL())
	if err != nil {
		t.Fatal(err)
	}
	behind := started.Upstream()
	if !listens(endpoint.Host) || !listens(behind) {
		t.Fatal("it doesn't listen while it runs")
	}
	for range 2 { // closing twice is closing once
		if err := started.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if listens(endpoint.Host) || listens(behind) {
		t.Error("a port still answers")
	}
}

// orphanVariable makes this test binary a lab that is killed.
const orphanVariable = "CERTPACE_TEST_ORPHAN"

// beParent starts a cloud, says where moto itself is, and waits for its death.
func beParent() {
	started, err := emulator.Start(context.Background(), emulator.Options{Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(started.Upstream())
	select {}
}

func TestTheProcessEndsWithItsParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), orphanVariable+"=1")
	parent.Stderr = os.Stderr
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(output).ReadString('\n')
	addr = strings.TrimSpace(addr)
	if err != nil || !listens(addr) {
		t.Fatalf("moto of the parent isn't at %q: %v", addr, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // "signal: killed"
	for range 2000 {  // ten seconds, of which it needs none
		if !listens(addr) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("moto outlives its parent")
}

func TestSetup(t *testing.T) {
	for _, test := range []struct {
		is, python, dir, want string
	}{
		{"a missing Python is named, with the package to install", "no-such-python3", t.TempDir(), "apt-get install python3"},
		{"a missing directory is asked for", "python3", "", "give one directory"},
	} {
		t.Run(test.is, func(t *testing.T) {
			setup := exec.Command("./setup.sh", test.dir)
			setup.Env = append(os.Environ(), "PYTHON="+test.python)
			output, err := setup.CombinedOutput()
			if err == nil || !strings.Contains(string(output), test.want) {
				t.Errorf("got %v:\n%s\nwant %q", err, output, test.want)
			}
		})
	}
	t.Run("what is built stays as it is", func(t *testing.T) {
		python, err := emulator.Python()
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(filepath.Dir(python))
		before, err := os.Stat(filepath.Join(dir, "stamp"))
		if err != nil {
			t.Fatal(err)
		}
		output, err := exec.Command("./setup.sh", dir).CombinedOutput()
		if err != nil || len(output) > 0 {
			t.Fatalf("got %v:\n%s\nwant silence", err, output)
		}
		after, err := os.Stat(filepath.Join(dir, "stamp"))
		if err != nil || !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("it was built again: %v", err)
		}
	})
}
