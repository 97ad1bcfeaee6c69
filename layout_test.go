// Package certpace_test holds the house to its plan: imports point down only, and what decides knows nothing of what it decides about.
package certpace_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/certpace/certpace/"

// rows are the house's storeys, the ground floor first. A package imports from its own row only what allowed names, and from lower rows freely.
var rows = [][]string{
	{"internal/reason", "internal/inventory", "internal/budget", "internal/wait", "internal/retryafter", "internal/pemfile", "internal/printable"},
	{"internal/job", "internal/event", "internal/bundle"},
	{"internal/plan", "internal/renew"},
	{"internal/store/entry"},
	{"internal/suffix", "internal/metric", "internal/fleetfile", "internal/memory", "internal/simulate", "internal/ari", "internal/issuer", "internal/dns", "internal/vault", "internal/acm", "internal/store", "internal/queue", "internal/bus"},
	{"internal/app", "internal/adopt", "internal/doctor"},
	{"internal/app/planning", "internal/app/renewing"},
	{"internal/app/operator"},
	{"internal/cli", "internal/lab", "internal/lab/boulder", "internal/lab/ca", "internal/lab/child", "internal/lab/emulator", "internal/lab/lambda", "internal/lab/nameserver"},
	{"internal/demo", "internal/byhand"},
	{"internal/e2e"},
	{"functions/plan", "functions/renew", "cmd/certpace", "cmd/demo", "cmd/boulder"},
}

// allowed are the imports between packages of one row.
var allowed = map[string][]string{
	"internal/inventory":    {"internal/reason", "internal/pemfile"},
	"internal/budget":       {"internal/retryafter"},
	"internal/fleetfile":    {"internal/suffix"},
	"internal/vault":        {"internal/issuer"}, // whose port for accounts it implements
	"internal/lab/emulator": {"internal/lab/child", "internal/lab/nameserver"},
	"internal/lab/boulder":  {"internal/lab/child"},
	"internal/lab":          {"internal/lab/boulder", "internal/lab/ca", "internal/lab/emulator", "internal/lab/lambda", "internal/lab/nameserver"},
}

// outside is what the rows that decide must not know: no cloud, no CA, no network.
var outside = []string{"github.com/aws/", "github.com/go-acme/", "net/http", "net", "os/exec"}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard"}, args...)...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func row(pkg string) int {
	return slices.IndexFunc(rows, func(r []string) bool { return slices.Contains(r, pkg) })
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasSuffix(name, "storetest") || strings.Contains(name, "testdata") || name == p.ImportPath {
			continue
		}
		if strings.HasPrefix(name, "internal/e2e/") {
			name = "internal/e2e"
		}
		at := row(name)
		if at < 0 {
			t.Errorf("%s has no row in the house; give it one here", name)
			continue
		}
		for _, imp := range p.Imports {
			imp, ours := strings.CutPrefix(imp, module)
			if !ours || row(imp) < at || strings.HasPrefix(imp, "internal/e2e/") && name == "internal/e2e" || slices.Contains(allowed[name], imp) {
				continue
			}
			t.Errorf("%s imports %s, which isn't below it", name, imp)
		}
	}
}

func TestWhatDecidesKnowsNoCloud(t *testing.T) {
	var pure []string
	for _, r := range rows[:3] {
		for _, p := range r {
			pure = append(pure, "./"+p)
		}
	}
	for _, p := range list(t, pure...) {
		for _, dep := range p.Deps {
			for _, o := range outside {
				// crypto/x509 itself depends on net, for its types; that is no network access of ours
				if (dep == o || strings.HasSuffix(o, "/") && strings.HasPrefix(dep, o)) && !(o == "net") {
					t.Errorf("%s depends on %s", p.ImportPath, dep)
				}
			}
		}
		for _, imp := range p.Imports {
			if imp == "net" || imp == "os" {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
}

func TestTheWorkerIsOnlyWhatItNeeds(t *testing.T) {
	for _, p := range list(t, "./functions/plan", "./functions/renew") {
		for _, dep := range p.Deps {
			for _, o := range []string{"github.com/letsencrypt/pebble", "github.com/goccy/go-yaml", "github.com/alecthomas/kong", module + "internal/lab", module + "internal/memory", "testing"} {
				if strings.HasPrefix(dep, o) && dep != "testing/iotest" {
					t.Errorf("%s depends on %s, which has no business in a Lambda", p.ImportPath, dep)
				}
			}
		}
	}
	for _, p := range list(t, "./functions/plan") {
		for _, dep := range p.Deps {
			if strings.HasPrefix(dep, "github.com/go-acme/lego") || strings.Contains(dep, "service/secretsmanager") || strings.Contains(dep, "service/route53") {
				t.Errorf("the planner depends on %s: it has no key, no account and no DNS", dep)
			}
		}
	}
}
