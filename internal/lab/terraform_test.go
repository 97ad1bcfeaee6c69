package lab_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Terraform is started by a script, which takes no endpoint but this machine's: with dist/ and a profile at hand, it would deploy.
func TestTerraformIsNotStartedAgainstAnythingButThisMachine(t *testing.T) {
	script := filepath.Join("..", "..", "infra", "terraform", "check.sh")
	for _, endpoint := range []string{
		"https://dynamodb.eu-central-1.amazonaws.com", "http://sqs.eu-central-1.amazonaws.com:80", "http://localhost.example.com:5000",
		"http://127.0.0.1:5000@example.com:80", "http://0.0.0.0:5000", "http://127.0.0.1", "",
	} {
		check := exec.CommandContext(t.Context(), script, "--emulator", endpoint)
		check.Env = []string{"PATH=/usr/bin:/bin"} // where no Terraform is, should it come so far
		out, err := check.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "only this machine's own addresses are taken") {
			t.Errorf("%q was taken: %v\n%s", endpoint, err, out)
		}
	}
}
