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
	"strconv"
	"time"

	"github.com/certpace/certpace/internal/lab/child"
)

// process is the Python that runs moto.
type process struct {
	*child.Process
	addr  string    // host:port of moto itself
	alive io.Closer // our end of its standard input: it exits when that is closed, by us or by our death
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

	cmd := exec.Command(python, "-E", "-s", filepath.Join(dir, "emulator.py"), "--listen-fd", "3", "--parent-pipe")
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
		"LANG=C.UTF-8",
		"CERTPACE_EMULATOR_DNS_DELAY=" + strconv.FormatFloat(options.DNSDelay.Seconds(), 'f', -1, 64),
	}
	p := &process{addr: listener.Addr().String()}
	if p.alive, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.Process, err = child.Start("the emulator", cmd, options.Log); err != nil {
		return nil, err
	}
	if err := p.awaitHealth(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// awaitHealth asks once: the answer comes when everything is loaded.
func (p *process) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.Exited():
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
		case <-p.Exited():
			cut = true
		case <-time.After(time.Second):
		}
	}
	if cut {
		return fmt.Errorf("its process ended:\n%s", p.Tail())
	}
	return fmt.Errorf("waiting for it: %w", failed)
}

// close ends the process group at once: there is nothing to be saved.
func (p *process) close() error {
	_ = p.alive.Close()
	return p.Kill()
}
