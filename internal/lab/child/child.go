// Package child runs a program that ends when this process does, however that comes to its end, and
// keeps the last lines that it printed: they say why it ended.
package child

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// pipeDelay is how long the output of a dead process is still read, should a child of its hold the
// pipe.
const pipeDelay = time.Second

// Process is a running program in a process group of its own, so that a Ctrl-C in the terminal
// reaches only us, and we end it in order.
type Process struct {
	name   string
	cmd    *exec.Cmd
	tail   *Tail
	exited chan struct{}
}

// Start runs cmd under a name that errors carry. What it prints goes to log, which may be nil.
// The command's Stdout, Stderr and SysProcAttr are set here.
func Start(name string, cmd *exec.Cmd, log io.Writer) (*Process, error) {
	p := &Process{name: name, cmd: cmd, tail: &Tail{to: log}, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.tail, p.tail
	cmd.SysProcAttr, cmd.WaitDelay = attributes(), pipeDelay
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// run starts the command and waits for it, both on one thread that belongs to them alone: the
// kernel's notice of the parent's death is in truth of the thread that forked.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // however it ends; the tail says why
	}
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when it has ended and its output is read.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Running says whether it hasn't ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Tail is the last that it printed.
func (p *Process) Tail() string { return p.tail.String() }

// Stop asks it to end, and after the grace ends it. It returns when it is gone.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
		return nil
	case <-timer.C:
		return p.Kill()
	}
}

// Kill ends it and all that it started, without a word. It returns when it is gone.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// signal reaches the whole group; a process that has ended is not asked, since its number may be
// another's by now.
func (p *Process) signal(s syscall.Signal) error {
	if !p.Running() {
		return nil
	}
	if err := syscall.Kill(-p.PID(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending %s, process %d: %w", p.name, p.PID(), err)
	}
	return nil
}
