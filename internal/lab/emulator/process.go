package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is the Python that runs moto.
type process struct {
	addr   string // host:port of moto itself
	cmd    *exec.Cmd
	alive  io.Closer     // our end of its standard input: it exits when that is closed, by us or by our death
	tail   *tail         // the last that it printed
	exited chan struct{} // closed when it is gone and its output is read
}

// startProcess answers when moto does. The listening socket is made here and inherited: there is no port to be taken by
// somebody else in between, and whoever connects early waits in the socket's own queue.
func startProcess(ctx context.Context, python string, options Options) (*process, error) {
	dir, err := unpack()
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // everything is loaded by then
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = listener.Close() }()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	defer func() { _ = socket.Close() }()

	p := &process{addr: listener.Addr().String(), tail: &tail{to: options.Log}, exited: make(chan struct{})}
	p.cmd = exec.Command(python, "-E", "-s", filepath.Join(dir, "emulator.py"), "--listen-fd", "3", "--parent-pipe")
	p.cmd.ExtraFiles = []*os.File{socket}
	p.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
		"LANG=C.UTF-8",
		"CERTPACE_EMULATOR_DNS_DELAY=" + strconv.FormatFloat(options.DNSDelay.Seconds(), 'f', -1, 64),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.tail, p.tail
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = attributes()
	if p.alive, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.run(); err != nil {
		return nil, err
	}
	if err := p.awaitHealth(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// run starts the command and leaves a goroutine that waits for it. Both are done on one thread that belongs to them alone:
// the kernel's notice of the parent's death is in truth of the thread that forked.
func (p *process) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // however it ends; the tail says why
		}
	}()
	return <-started
}

// awaitHealth asks once: the answer comes when everything is loaded.
func (p *process) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+labPrefix+"health", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return p.why(err)
	}
	return response.Body.Close()
}

// why explains a failed health check by the process's own words where it has ended, which may be seen a little after it
// has reset the connection.
func (p *process) why(failed error) error {
	var cut bool
	if !errors.Is(failed, context.DeadlineExceeded) {
		select {
		case <-p.exited:
			cut = true
		case <-time.After(time.Second):
		}
	}
	if cut {
		return fmt.Errorf("its process ended:\n%s", p.tail)
	}
	return fmt.Errorf("waiting for it: %w", failed)
}

// close ends the process group at once: there is nothing to be saved.
func (p *process) close() error {
	_ = p.alive.Close()
	select {
	case <-p.exited: // its number may be another's by now
		return nil
	default:
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending process %d: %w", p.cmd.Process.Pid, err)
	}
	<-p.exited
	return nil
}

// tail passes on what a process prints and remembers the end of it. It is written by one goroutine, and read after that
// has ended.
type tail struct {
	to   io.Writer
	last []byte
}

const tailSize = 4096

func (t *tail) Write(text []byte) (int, error) {
	t.last = append(t.last, text...)
	t.last = t.last[max(0, len(t.last)-tailSize):]
	if t.to != nil {
		_, _ = t.to.Write(text) // its failure must not end the process
	}
	return len(text), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.last)) }
