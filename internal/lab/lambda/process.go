//go:build unix

package lambda

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// pipeDelay is how long the output of a dead process is still read, should a child of its hold the pipe.
const pipeDelay = time.Second

// process is a bootstrap in a process group of its own.
type process struct {
	pid    int
	output *lines
	exited chan struct{} // closed when it is dead, its output read and its group killed
	err    error         // why it ended, nil for status 0; to be read after exited
}

// startProcess runs path with nothing but env, in its own folder, and calls onExit after its death.
func startProcess(path string, env []string, log io.Writer, onExit func()) (*process, error) {
	p := &process{output: &lines{to: log}, exited: make(chan struct{})}
	command := exec.Command(path)
	command.Env, command.Dir = env, filepath.Dir(path)
	command.Stdout, command.Stderr = p.output, p.output
	command.SysProcAttr = attributes()
	command.WaitDelay = pipeDelay

	started := make(chan error)
	go func() {
		// The kernel's parent-death signal looks at the thread that forked, so it has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := command.Start(); err != nil {
			started <- fmt.Errorf("starting %s: %w", path, err)
			return
		}
		p.pid = command.Process.Pid
		started <- nil
		p.err = command.Wait()
		p.output.flush()
		p.signal()
		onExit()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// kill sends SIGKILL to the whole group and waits for the end.
func (p *process) kill() {
	select {
	case <-p.exited:
	default:
		p.signal()
		<-p.exited
	}
}

func (p *process) signal() {
	// ESRCH, if nobody is left, is what is wanted.
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
}
