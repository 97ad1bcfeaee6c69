package child

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start("a script", exec.Command("/bin/sh", "-c", script), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func printed(t *testing.T, p *Process, what string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(p.Tail(), what); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it printed only %q", p.Tail())
		}
	}
}

func TestStopAsksBeforeItEnds(t *testing.T) {
	p := start(t, `trap 'echo in order; exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
	printed(t, p, "ready")
	if err := p.Stop(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if p.Running() || !strings.HasSuffix(p.Tail(), "in order") {
		t.Errorf("running: %v; it printed %q", p.Running(), p.Tail())
	}
}

func TestStopEndsWhatDoesNotListen(t *testing.T) {
	p := start(t, `trap '' TERM; echo ready; while :; do sleep 0.01; done`)
	printed(t, p, "ready")
	if err := p.Stop(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if p.Running() {
		t.Error("it still runs")
	}
}

func TestKillReachesWhatItStarted(t *testing.T) {
	p := start(t, `sleep 60 & echo ready; wait`)
	printed(t, p, "ready")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); syscall.Kill(-p.PID(), 0) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("its group is still there")
		}
	}
	if err := p.Kill(); err != nil {
		t.Errorf("killing it again: %v", err)
	}
}

func TestAProgramThatIsNotThereIsNamed(t *testing.T) {
	_, err := Start("the CA", exec.Command("/nowhere/ca"), nil)
	if err == nil || !strings.Contains(err.Error(), "starting the CA: ") || !strings.Contains(err.Error(), "/nowhere/ca") {
		t.Errorf("the message is %v", err)
	}
}

func TestTheTailIsTheEndOfWhatWasPrintedAndAllOfItIsPassedOn(t *testing.T) {
	var all bytes.Buffer
	p, err := Start("a script", exec.Command("/bin/sh", "-c", `n=0; while [ $n -lt 1000 ]; do n=$((n+1)); echo line $n; done`), &all)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Exited()
	if !strings.HasSuffix(p.Tail(), "line 1000") || len(p.Tail()) > tailSize || strings.Count(all.String(), "\n") != 1000 {
		t.Errorf("%d lines were passed on, and %d bytes kept, which end in %q", strings.Count(all.String(), "\n"), len(p.Tail()), p.Tail()[len(p.Tail())-9:])
	}
}
