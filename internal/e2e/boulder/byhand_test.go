package boulder

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/byhand"
	"github.com/certpace/certpace/internal/e2e/witness"
)

// screen is what a person sees.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) shows(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), what)
}

// What docs/boulder.md tells a person to do is done here, as it stands there.
func TestWhatIsKeptUpServesAPerson(t *testing.T) {
	whole(t)
	ctx, end := context.WithCancel(context.Background())
	defer end()
	in, press := io.Pipe()
	dir, out, ended := filepath.Join(t.TempDir(), "run"), &screen{}, make(chan error, 1)
	go func() {
		ended <- byhand.Run(ctx, out, byhand.Options{
			Binaries: os.Getenv(witness.BinariesVariable), Python: os.Getenv("LAB_PYTHON"), Programs: os.Getenv(programsVariable),
			Dir: dir, Zones: []string{"example-lab.com"}, Tick: time.Second, In: in,
		})
	}()
	witness.Await(t, "what to export", func() bool { return out.shows("Press Enter here") || len(ended) > 0 })
	shell := func(script string) string {
		t.Helper()
		said, err := exec.Command("sh", "-c", ". "+filepath.Join(dir, "env")+"\n"+script).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, said)
		}
		return string(said)
	}
	shell("certpace apply -f - <<'END'\ncertificates:\n  - name: www\n    domains: [www.example-lab.com]\nEND")
	witness.Await(t, "the certificate", func() bool { return strings.Contains(shell("certpace status"), "1 in use") })
	if said := shell("ca-redis --scan"); !strings.Contains(said, "5:example-lab.com") {
		t.Errorf("the CA's redis has %s", said)
	}
	if _, err := press.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	witness.Await(t, "the buckets of both sides", func() bool { return out.shows("certificates-per-registered-domain") })
	if out.shows("EARLIER") {
		t.Error("a bucket of certpace's is full before the CA's")
	}
	limits := filepath.Join(dir, "boulder", "limits.yml")
	text, err := os.ReadFile(limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, shows string }{
		{"CertificatesPerDomain: {count: 50", "CertificatesPerDomain: {count: many", "the CA doesn't start with it"},
		{"CertificatesPerDomain: {count: 50", "CertificatesPerDomain: {count: 40", "limits.yml was saved, and is in force"},
	} {
		time.Sleep(1100 * time.Millisecond) // a file system may tell times by the second
		if err := os.WriteFile(limits, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		witness.Await(t, c.shows, func() bool { return out.shows(c.shows) })
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
