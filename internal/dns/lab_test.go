package dns_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	aws53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/certpace/certpace/internal/dns"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/lab/nameserver"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// settling is how long a change of the lab's Route 53 takes to be served.
const settling = time.Second

// lab is the emulator's Route 53 and a DNS server that answers from it, with solvers that use both.
type lab struct {
	*emulator.Emulator
	client  *aws53.Client
	solvers *dns.Solvers
}

func startLab(t *testing.T) lab {
	t.Helper()
	cloud, err := emulator.Start(t.Context(), emulator.Options{DNSDelay: settling, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	server, err := nameserver.Start(t.Context(), nameserver.Options{Source: cloud, Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := cloud.Config()
	cfg.RetryMaxAttempts = 1
	l := lab{Emulator: cloud, client: aws53.NewFromConfig(cfg)}
	l.solvers = dns.New(dns.Options{Route53: func(dns.Role) dns.Route53Client { return l.client }, Route53Rate: 50, Resolvers: []string{server.Addr()}, Visible: 10 * time.Second})
	return l
}

var zonesMade atomic.Int64

// zone makes a hosted zone with record sets: "name TYPE value".
func (l lab) zone(t *testing.T, name string, lines ...string) (id string) {
	t.Helper()
	made, err := l.client.CreateHostedZone(t.Context(), &aws53.CreateHostedZoneInput{Name: &name, CallerReference: new(fmt.Sprint(zonesMade.Add(1)))})
	if err != nil {
		t.Fatal(err)
	}
	var changes []types.Change
	for _, line := range lines {
		f := strings.SplitN(line, " ", 3)
		changes = append(changes, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &types.ResourceRecordSet{
			Name: &f[0], Type: types.RRType(f[1]), TTL: new(int64(300)), ResourceRecords: []types.ResourceRecord{{Value: &f[2]}}}})
	}
	if changes != nil {
		if _, err := l.client.ChangeResourceRecordSets(t.Context(), &aws53.ChangeResourceRecordSetsInput{HostedZoneId: made.HostedZone.Id, ChangeBatch: &types.ChangeBatch{Changes: changes}}); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimPrefix(*made.HostedZone.Id, "/hostedzone/")
}

// left lists the TXT values in a zone.
func (l lab) left(t *testing.T, zone string) (values []string) {
	t.Helper()
	out, err := l.client.ListResourceRecordSets(t.Context(), &aws53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.ResourceRecordSets {
		for _, r := range s.ResourceRecords {
			if s.Type == types.RRTypeTxt {
				values = append(values, *s.Name+" "+*r.Value)
			}
		}
	}
	return values
}

func TestOnTheEmulator(t *testing.T) {
	l := startLab(t)
	com := l.zone(t, "example.test.", "_acme-challenge.alias.example.test. CNAME target.delegated.test.", `_acme-challenge.example.test. TXT "foreign"`)
	net := l.zone(t, "delegated.test.")
	time.Sleep(settling) // until the CNAME is served
	t.Run("42 names, a wildcard and a delegated name are published in one change for each zone, seen, and removed", func(t *testing.T) { l.lifeOf(t, com, net) })
	t.Run("a change whose answer was lost is made once", func(t *testing.T) { l.lostAnswer(t, com) })
	t.Run("a zone that does not exist is for a person", func(t *testing.T) {
		_, err := l.solvers.Locate(t.Context(), inventory.DNS{}, []renew.Challenge{{Domain: "www.nowhere.test"}})
		wantFailure(t, err, renew.Never, reason.ZoneNotFound, "www.nowhere.test")
	})
	t.Run("a denied action is for a person", func(t *testing.T) {
		if err := l.Deny(t.Context(), "route53:ChangeResourceRecordSets"); err != nil {
			t.Fatal(err)
		}
		records := l.locate(t, renew.Challenge{Domain: "www.example.test", Value: "v"})
		wantFailure(t, l.solvers.Publish(t.Context(), records), renew.Never, reason.PermissionDenied, "route53:ChangeResourceRecordSets")
		if err := l.AllowAll(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a wildcard's target is never written to", func(t *testing.T) { l.starred(t) })
	if left := l.left(t, com); len(left) != 1 || !strings.Contains(left[0], "foreign") {
		t.Errorf("left in the zone: %v", left)
	}
}

func (l lab) locate(t *testing.T, all ...renew.Challenge) []renew.Record {
	t.Helper()
	records, err := l.solvers.Locate(t.Context(), inventory.DNS{}, all)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func (l lab) lifeOf(t *testing.T, com, net string) {
	all := []renew.Challenge{{Domain: "example.test", Value: "apex"}, {Domain: "*.example.test", Value: "wildcard"}, {Domain: "alias.example.test", Value: "delegated"}}
	for i := range 39 {
		all = append(all, renew.Challenge{Domain: fmt.Sprintf("n%d.example.test", i), Value: fmt.Sprintf("%043d", i)})
	}
	began, before := time.Now(), l.Counts()
	records := l.locate(t, all...)
	if err := l.solvers.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	t.Logf("published and seen after %s", time.Since(began).Round(10*time.Millisecond))
	if n := l.Counts()["route53:ChangeResourceRecordSets"] - before["route53:ChangeResourceRecordSets"]; n != 3 { // one is refused, since there is a foreign value, and is made again once that was read
		t.Errorf("%d changes were sent for two zones", n)
	}
	if n := len(l.left(t, com)); n != 1+2+39 || len(l.left(t, net)) != 1 {
		t.Errorf("%d values and %v", n, l.left(t, net))
	}
	if err := l.solvers.Remove(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if left := append(l.left(t, com), l.left(t, net)...); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// starred is a zone whose wildcard points to another one's name.
func (l lab) starred(t *testing.T) {
	star, vendor := l.zone(t, "starry.test.", "*.starry.test. CNAME lb.vendor-cloud.test."), l.zone(t, "vendor-cloud.test.", "lb.vendor-cloud.test. A 192.0.2.9")
	time.Sleep(settling)
	records := l.locate(t, renew.Challenge{Domain: "starry.test", Value: "v"}, renew.Challenge{Domain: "a.b.starry.test", Value: "w"})
	if err := l.solvers.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if n, m := len(l.left(t, star)), len(l.left(t, vendor)); n != 2 || m != 0 {
		t.Errorf("%d values in the zone, %d where its wildcard points to", n, m)
	}
	if err := l.solvers.Remove(t.Context(), records); err != nil || len(l.left(t, star)) != 0 {
		t.Errorf("left: %v, %v", l.left(t, star), err)
	}
}

func (l lab) lostAnswer(t *testing.T, zone string) {
	var lost atomic.Bool
	remove := l.Before(func(c emulator.Call) emulator.Verdict {
		if c.Action == "ChangeResourceRecordSets" && lost.CompareAndSwap(false, true) {
			return emulator.CutAfter
		}
		return emulator.Pass
	})
	defer remove()
	records := l.locate(t, renew.Challenge{Domain: "www.example.test", Value: "v"})
	before := l.Counts()["route53:ChangeResourceRecordSets"]
	if err := l.solvers.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if n := l.Counts()["route53:ChangeResourceRecordSets"] - before; n != 1 || !lost.Load() {
		t.Errorf("%d changes were sent", n)
	}
	if err := l.solvers.Remove(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func wantFailure(t *testing.T, err error, k renew.Kind, r reason.Reason, mention string) {
	t.Helper()
	var f *renew.Failure
	if !errors.As(err, &f) || f.Kind != k || f.Reason != r || !strings.Contains(err.Error(), mention) {
		t.Errorf("got %v", err)
	}
}
