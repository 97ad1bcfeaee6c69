package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/lab/nameserver"
)

// labPrefix is where the paths begin that AWS doesn't have; clients don't see them.
const labPrefix = "/certpace-lab/"

// SetDNSDelay sets how long a change of Route 53 stays PENDING, also of those that are; what is INSYNC stays so. An hour
// is a DNS that doesn't settle.
func (e *Emulator) SetDNSDelay(ctx context.Context, delay time.Duration) error {
	return e.steer(ctx, http.MethodPut, "dns-delay", map[string]float64{"seconds": delay.Seconds()})
}

// Deny makes IAM refuse an operation of the API, such as "route53:ChangeResourceRecordSets", until AllowAll. It knows no
// resources, and unlike AWS it judges the operation, not what the operation does: a transaction that updates items is
// refused as dynamodb:TransactWriteItems.
func (e *Emulator) Deny(ctx context.Context, action string) error {
	return e.steer(ctx, http.MethodPost, "deny", map[string]string{"action": action})
}

// AllowAll takes back each Deny.
func (e *Emulator) AllowAll(ctx context.Context) error {
	return e.steer(ctx, http.MethodDelete, "deny", nil)
}

// servedView is what DNS served when it was asked for last, and the tag by which moto knows that.
type servedView struct {
	mu    sync.Mutex
	tag   string
	zones nameserver.Zones
}

// Served is what DNS serves now: of each zone what it was after the last change that is INSYNC. Private zones are among
// them, and flagged. It makes an Emulator the nameserver.Source of the lab.
func (e *Emulator) Served(ctx context.Context) (nameserver.Zones, error) {
	tag, zones := e.served.get()
	response, content, err := e.ask(ctx, http.MethodGet, "dns", nil, tag)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusNotModified {
		return zones, nil
	}
	var view struct {
		Zones nameserver.Zones `json:"zones"`
	}
	if err := json.Unmarshal(content, &view); err != nil {
		return nil, fmt.Errorf("reading the zones that the emulator serves: %w", err)
	}
	e.served.set(response.Header.Get("ETag"), view.Zones)
	return view.Zones, nil
}

func (v *servedView) get() (tag string, zones nameserver.Zones) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.tag, v.zones
}

func (v *servedView) set(tag string, zones nameserver.Zones) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tag, v.zones = tag, zones
}

func (e *Emulator) steer(ctx context.Context, method, name string, body any) error {
	_, _, err := e.ask(ctx, method, name, body, "")
	return err
}

// ask calls one of the lab's paths of moto, past the proxy.
func (e *Emulator) ask(ctx context.Context, method, name string, body any, tag string) (*http.Response, []byte, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the emulator for %s: %w", name, err)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+e.process.addr+labPrefix+name, bytes.NewReader(encoded))
	if err != nil {
		return nil, nil, fmt.Errorf("asking the emulator for %s: %w", name, err)
	}
	if tag != "" {
		request.Header.Set("If-None-Match", tag)
	}
	response, err := e.proxy.upstream.RoundTrip(request)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the emulator for %s: %w", name, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the emulator for %s: %w", name, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, nil, fmt.Errorf("asking the emulator for %s: it answers %d: %s", name, response.StatusCode, bytes.TrimSpace(content))
	}
	return response, content, nil
}
