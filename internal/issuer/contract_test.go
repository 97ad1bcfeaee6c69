package issuer

import (
	"errors"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

type reporter interface {
	Errorf(format string, args ...any)
}

// inContract asserts that an error is one that renew.CA may give.
func inContract(t reporter, err error) {
	var f *renew.Failure
	var d *renew.Denied
	switch {
	case errors.As(err, &f):
		if f.Kind < renew.Later || f.Kind > renew.Unknown || !reason.Known(f.Reason) || f.Err == nil || f.Error() == "" {
			t.Errorf("the failure %+v is none", f)
		}
	case errors.As(err, &d), errors.Is(err, renew.ErrReplaced):
	default:
		t.Errorf("%v (%T) is no error of a CA", err, err)
	}
}
