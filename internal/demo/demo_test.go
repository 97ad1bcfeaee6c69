package demo_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/demo"
)

// The demo checks what it shows; here it is played once, so that it stays true.
func TestTheDemoShowsWhatItSays(t *testing.T) {
	binaries := os.Getenv("LAB_DIR")
	if binaries == "" {
		binaries = filepath.Join("..", "..", ".cache", "lab")
	}
	if _, err := os.Stat(filepath.Join(binaries, "renew", "bootstrap")); err != nil {
		t.Fatalf("%v: run make lab first", err)
	}
	var out bytes.Buffer
	if err := demo.Run(context.Background(), &out, demo.Options{Binaries: binaries}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{
		"1 added", "no room in certificates-per-registered-domain of", "10 before, 10 after", "is dead", "zone-not-found", "crypto/x509: the chain verifies",
		"1 order at the CA, 1 certificate", "its order told the CA what it replaces", "rate limits met: 0",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo doesn't show %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "PRIVATE KEY") {
		t.Error("the demo shows a key")
	}
}
