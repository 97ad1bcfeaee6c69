// Package emulator is the AWS of the lab: moto, corrected where it isn't AWS (corrections/), in a process of its own, behind
// a small proxy that sees each call and can lose it.
//
// The proxy is the endpoint that clients use. What a test does to calls is in hook.go, what the lab does to the cloud in
// control.go. The Python that runs moto is built by setup.sh.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Region is where everything of the lab is. It is not the SDKs' default, so that whoever forgets the region is found out.
const Region = "eu-central-1"

// The lab's account is the one that moto gives to unknown keys. Neither it nor a key is a secret; of a key only the id counts.
const (
	Account         = "123456789012"
	AccessKey       = "AKIALABLABLABLABLAB0"
	secretAccessKey = "certpace-lab"
)

// startLimit bounds the start; it takes two seconds on one busy core.
const startLimit = 60 * time.Second

// Options of an emulator. The zero value starts one.
type Options struct {
	Python   string        // of the virtual environment that setup.sh built; empty for the one that Python finds
	DNSDelay time.Duration // how long a change of Route 53 stays PENDING; SetDNSDelay changes it
	Log      io.Writer     // what the process prints, which is little, and holds no request's content; nil for none
}

// Emulator is a running cloud. Its methods may be called concurrently.
type Emulator struct {
	process *process
	proxy   *proxy
	server  *http.Server
	url     string

	close  sync.Once
	closed error
	served servedView
}

// Start answers when the cloud does. It outlives ctx, which only bounds the start; Close ends it, and so does the end of
// this process, however it comes.
func Start(ctx context.Context, options Options) (*Emulator, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	python, err := python(options.Python)
	if err != nil {
		return nil, fmt.Errorf("starting the emulator: %w", err)
	}
	running, err := startProcess(ctx, python, options)
	if err != nil {
		return nil, fmt.Errorf("starting the emulator: %w", err)
	}
	emulator := &Emulator{process: running, proxy: newProxy(running.addr)}
	if err := emulator.listen(ctx); err != nil {
		return nil, fmt.Errorf("starting the emulator: %w", errors.Join(err, running.close()))
	}
	return emulator, nil
}

// listen opens the endpoint.
func (e *Emulator) listen(ctx context.Context) error {
	var loopback net.ListenConfig
	listener, err := loopback.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	e.url = "http://" + listener.Addr().String()
	e.server = &http.Server{Handler: e.proxy, ReadHeaderTimeout: time.Minute}
	go func() { _ = e.server.Serve(listener) }() // ends with ErrServerClosed
	return nil
}

// URL is the endpoint of all services.
func (e *Emulator) URL() string { return e.url }

// Env is the environment of a process that shall use this cloud and no other: without the two nulls the SDK looks for the user's own profile,
// which may say that endpoints of the environment don't count.
func (e *Emulator) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + e.url,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + secretAccessKey,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Config is the same for this process. It is made of nothing else: whatever profile or endpoint this process's environment
// names, it can't lead to another cloud.
func (e *Emulator) Config() aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(e.url),
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, secretAccessKey, ""),
	}
}

// Close ends the process and the endpoint; calls under way are cut. Closing again returns the same.
func (e *Emulator) Close() error {
	e.close.Do(func() {
		err := errors.Join(e.server.Close(), e.process.close())
		e.proxy.upstream.CloseIdleConnections()
		if err != nil {
			e.closed = fmt.Errorf("closing the emulator: %w", err)
		}
	})
	return e.closed
}
