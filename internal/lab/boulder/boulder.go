package boulder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/wait"
)

// startLimit bounds the start; it takes four seconds on two quiet cores.
const startLimit = time.Minute

// Boulder is a running CA. Its methods may be called concurrently, but for those that stop and start
// parts.
type Boulder struct {
	files
	options Options
	ports   ports
	network *network
	roots   []byte
	remove  func() error

	mu     sync.Mutex
	parts  map[string]*part // those that run
	limits Limits

	close  sync.Once
	closed error
}

// Start answers when the CA does. It outlives ctx, which only bounds the start; Close ends it, and
// so does the end of this process. Where it fails, nothing is left running.
func Start(ctx context.Context, options Options) (*Boulder, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("starting Boulder: %w", err)
	}
	if err := findServers(); err != nil {
		return nil, fmt.Errorf("starting Boulder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	b := &Boulder{options: o, limits: o.Limits, parts: map[string]*part{}, remove: func() error { return nil }}
	for _, step := range []func(context.Context) error{b.prepare, b.startServers, b.startComponents} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("starting Boulder: %w", err), b.Close())
		}
	}
	return b, nil
}

// prepare writes everything that the parts read, and opens the network that they find.
func (b *Boulder) prepare(context.Context) (err error) {
	if b.ports, err = newPorts(b.options.Port); err != nil {
		return err
	}
	if b.files, b.remove, err = newFiles(b.options.Dir); err != nil {
		b.remove = func() error { return nil } // it isn't ours
		return err
	}
	now := time.Now()
	for _, step := range []func() error{
		func() error { return b.internalPKI(now) },
		b.issuers,
		func() error { return b.ctLogs(b.ports) },
		func() error { return b.secrets(b.ports) },
		func() error { return b.writeLimits(b.limits) },
		func() error { return b.write("overrides.yml", []byte("[]\n")) },
		func() error { return b.write("policy.yml", []byte(hostnamePolicy)) },
		config{b.files, b.ports, b.options.ValidAuthz}.writeAll,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if b.roots, err = b.files.roots(); err != nil {
		return err
	}
	b.network, err = startNetwork(b.ports, b.files, b.options.Resolver)
	return err
}

// Close ends everything, the last started first. Closing again returns the same.
func (b *Boulder) Close() error {
	b.close.Do(func() {
		var faults []error
		for _, name := range slices.Backward(startOrder) {
			faults = append(faults, b.Stop(name))
		}
		if b.network != nil {
			faults = append(faults, b.network.close())
		}
		if err := errors.Join(append(faults, b.remove())...); err != nil {
			b.closed = fmt.Errorf("closing Boulder: %w", err)
		}
	})
	return b.closed
}

// Address is the host:port at which clients must reach the CA by HTTPS: a front's, which passes
// requests on to WFE and SFE. The CA's own configuration names it.
func (b *Boulder) Address() string { return b.ports.addr("front") }

// WFE is the URL of the ACME API behind the front.
func (b *Boulder) WFE() string { return "http://" + b.ports.addr("wfe2") }

// SFE is the URL of the pages for people behind the front.
func (b *Boulder) SFE() string { return "http://" + b.ports.addr("sfe") }

// Dir is the folder with its configuration, its database and, in log/, what each part printed.
func (b *Boulder) Dir() string { return b.dir }

// Roots are what issued certificates chain to, PEM.
func (b *Boulder) Roots() []byte { return slices.Clone(b.roots) }

// Limits are those in force.
func (b *Boulder) Limits() Limits {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.limits)
}

// SetLimits changes limits and starts the parts that enforce them anew. Buckets stay as they are,
// as at the CA in production.
func (b *Boulder) SetLimits(ctx context.Context, changes Limits) error {
	limits := b.Limits().With(changes)
	if err := limits.Validate(); err != nil {
		return fmt.Errorf("setting the CA's limits: %w", err)
	}
	if err := b.writeLimits(limits); err != nil {
		return err
	}
	b.mu.Lock()
	b.limits = limits
	b.mu.Unlock()
	return b.Reload(ctx)
}

// Reload starts the parts that enforce limits anew, with the file limits.yml as it is.
func (b *Boulder) Reload(ctx context.Context) error { return b.Restart(ctx, limited...) }

// awaitDirectory returns when the WFE answers.
func (b *Boulder) awaitDirectory(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, opened)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.WFE()+"/directory", nil)
	if err != nil {
		return err
	}
	for {
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = answer.Body.Close() // it was not read
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("it answers %s", answer.Status)
		}
		if wait.Sleep(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("waiting for the CA's directory: %w", err)
		}
	}
}
