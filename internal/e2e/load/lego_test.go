package load

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/lab/ca"
)

// legoVariable names lego's command line, as scripts/lego builds it.
const legoVariable = "LAB_LEGO"

// lego is lego's command line at a door of its own, with an account.
type lego struct {
	door *ca.CA
	zone string
	dir  string
	made int
}

// newLego registers lego's account by a first issuance, then has the door bear e and fail as f says.
func newLego(t testing.TB, e ca.Edge, f ca.Faults) *lego {
	t.Helper()
	if os.Getenv(legoVariable) == "" {
		t.Skipf("%s doesn't name lego's command line: scripts/lego builds it", legoVariable)
	}
	door, err := world.CA.Door(t.Context(), world.OrderReuse)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	l := &lego{door: door, zone: fmt.Sprintf("l%d.test", rigs.Add(1)), dir: t.TempDir()}
	if _, err := world.Zone(t.Context(), l.zone); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.dir, "roots.pem"), door.TLSRootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := l.issue(t, 1); !got.ok() {
		t.Fatalf("lego's first issuance: %s", got)
	}
	door.Bear(e)
	door.Fail(f)
	return l
}

// issue has lego issue one certificate of n fresh names. It waits for Route 53 as it does by itself, but looks every second, and leaves out the check
// of the zone's own name servers, which the lab doesn't have.
func (l *lego) issue(t testing.TB, n int) result {
	t.Helper()
	l.made++
	args := []string{
		"--server", l.door.DirectoryURL(), "--accept-tos", "--email", "ops@example.test", "--path", l.dir, "--key-type", "ec256",
		"--dns", "route53", "--dns.resolvers", world.DNS.Addr(), "--dns.propagation-disable-ans",
	}
	for i := range n {
		args = append(args, "--domains", fmt.Sprintf("n%03d.c%d.%s", i, l.made, l.zone))
	}
	requests, orders, issued := len(l.door.Requests()), len(l.door.Orders()), len(l.door.Issued())
	cmd := exec.CommandContext(t.Context(), os.Getenv(legoVariable), append(args, "run")...)
	cmd.Env = append(world.AWS.Env(), "LEGO_CA_CERTIFICATES="+filepath.Join(l.dir, "roots.pem"), "HOME="+l.dir, "AWS_POLLING_INTERVAL=1", "AWS_PROPAGATION_TIMEOUT=120")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	got := result{jobs: 1, deliveries: 1, took: time.Since(began), requests: l.door.Requests()[requests:], orders: len(l.door.Orders()) - orders, issued: len(l.door.Issued()) - issued}
	got.Tally = ca.Count(got.requests)
	if err != nil {
		lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
		got.why = append(got.why, string(lines[len(lines)-1]))
	}
	return got
}
