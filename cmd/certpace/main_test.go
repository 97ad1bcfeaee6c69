package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The test's own binary is the command where it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("CERTPACE_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

const scenario = `
start: 2026-12-01T00:00:00Z
duration: 24h
limits: letsencrypt
fleet: {certificates: 2, domains_per_certificate: 1, registered_domains: 2}
`

func TestWhatCannotBePrintedFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]struct {
		open func(t *testing.T) *os.File
		says string
	}{
		"a disk that is full":   {full, "no space left on device"},
		"a reader that is gone": {gone, "broken pipe"},
	} {
		for _, args := range [][]string{{"--help"}, {"apply", "--help"}, {"simulate", "-f", file}} {
			t.Run(name+": "+args[0], func(t *testing.T) {
				cmd := exec.Command(os.Args[0], args...)
				cmd.Env = append(os.Environ(), "CERTPACE_TEST_MAIN=1")
				var said bytes.Buffer
				cmd.Stdout, cmd.Stderr = out.open(t), &said
				err := cmd.Run()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(said.String(), out.says) {
					t.Errorf("%v, and it says %q", err, said.String())
				}
			})
		}
	}
}

// What is asked for as a file is no less a result.
func TestAFileThatCannotBeWrittenFails(t *testing.T) {
	full(t)
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--events", "--chart"} {
		cmd := exec.Command(os.Args[0], "simulate", "-f", file, flag, "/dev/full")
		cmd.Env = append(os.Environ(), "CERTPACE_TEST_MAIN=1")
		var said bytes.Buffer
		cmd.Stderr = &said
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(said.String(), "no space left on device") {
			t.Errorf("%s: %v, and it says %q", flag, err, said.String())
		}
	}
}

func full(t *testing.T) *os.File {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /dev/full")
	}
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func gone(t *testing.T) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	r.Close()
	return w
}
