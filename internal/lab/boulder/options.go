package boulder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options of a Boulder. Programs and Resolver are required.
type Options struct {
	Programs string // folder that scripts/boulder fills
	Resolver string // host:port of the DNS server that validation asks, over UDP and TCP
	Dir      string // its files; must be empty or not there. Empty: a folder of its own that Close removes
	Port     int    // the first of PortCount ports; 0: ports that are free
	Limits   Limits // what differs from Let's Encrypt's in production

	ValidAuthz time.Duration // how long a valid authorization of the default profile is used again; 0: 30 days
	Log        io.Writer     // what its parts print, beside their files in Dir; nil for none
}

// defaultValidAuthz is Let's Encrypt's, for the classic profile (docs/limits.md, section 5).
const defaultValidAuthz = 30 * 24 * time.Hour

func (o Options) withDefaults() (Options, error) {
	var faults []error
	if o.Resolver == "" {
		faults = append(faults, errors.New("field Resolver is empty: give the host:port of a DNS server, validation is real"))
	}
	for _, program := range []string{"boulder", "ct-test-srv", "schema"} {
		if _, err := os.Stat(filepath.Join(o.Programs, program)); err != nil {
			faults = append(faults, fmt.Errorf("field Programs is %q: %w: run scripts/boulder build", o.Programs, err))
			break
		}
	}
	if o.Port < 0 || o.Port > 65535-PortCount {
		faults = append(faults, fmt.Errorf("field Port is %d: give the first of %d ports, at most %d, or 0 for free ones", o.Port, PortCount, 65535-PortCount))
	}
	if programs, err := filepath.Abs(o.Programs); err == nil { // the parts run in a folder of their own
		o.Programs = programs
	}
	o.Limits = Production().With(o.Limits)
	faults = append(faults, o.Limits.Validate())
	if o.ValidAuthz == 0 {
		o.ValidAuthz = defaultValidAuthz
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o, errors.Join(faults...)
}
