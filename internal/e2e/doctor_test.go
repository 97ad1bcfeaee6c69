package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/doctor"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/ca"
)

// The doctor looks at the same table, queue, vault, CAs and zones as the functions, and changes nothing of them.
func TestTheDoctorFindsWhatStandsInTheWay(t *testing.T) {
	n, err := world.Beside(context.Background(), "doctor", lab.BesideOptions{Rate: world.ACMERate, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.End(); err != nil {
			t.Error(err)
		}
	})
	second, err := n.SecondCA()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	n.MakeZone(t, "doctor.test")
	n.Apply(t,
		witness.Entry{Name: "well", Domains: []string{"www.doctor.test"}, Fallback: &witness.Fallback{Directory: second.DirectoryURL()}},
		witness.Entry{Name: "ill", Domains: []string{"www.nobodys.test"}},
	)
	before := len(n.CA.Requests())

	for name, want := range map[string]map[string]doctor.State{
		"well": {"dns": doctor.OK, "caa": doctor.OK, "ca": doctor.OK},
		"ill":  {"dns": doctor.Fail, "caa": doctor.OK, "ca": doctor.OK},
	} {
		all, code := examine(t, n.World, name)
		for _, check := range []string{"table", "planner", "queue", "secrets", "certificates"} {
			want[check] = doctor.OK
		}
		for check, state := range want {
			if !slices.ContainsFunc(all, func(f doctor.Finding) bool { return f.Check == check && f.State == state }) {
				t.Errorf("%s: %s is not %s: %+v", name, check, state, all)
			}
		}
		if failed := doctor.Failed(all); (code == 1) != (failed > 0) || (name == "ill") != (failed > 0) {
			t.Errorf("%s: %d checks failed, exit code %d: %+v", name, failed, code, all)
		}
	}
	if i := slices.IndexFunc(n.CA.Requests()[before:], func(r ca.Request) bool { return r.Kind != ca.KindDirectory }); i >= 0 {
		t.Errorf("it asked the CA: %+v", n.CA.Requests()[before+i])
	}
	if out, err := n.CLI(context.Background(), "", "doctor", "nobody"); err != nil || out.Code != 1 || !strings.Contains(out.Stdout, "there is no certificate of that name") {
		t.Errorf("%+v, %v", out, err)
	}
}

func examine(t *testing.T, w *witness.World, name string) (all []doctor.Finding, code int) {
	t.Helper()
	out, err := w.CLI(context.Background(), "", "doctor", "-o", "json", name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out.Stdout), &all); err != nil {
		t.Fatalf("%v: %s%s", err, out.Stdout, out.Stderr)
	}
	return all, out.Code
}
