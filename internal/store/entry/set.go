package entry

import (
	"fmt"
	"time"
)

// SetRecord is when an exact set of names was last issued at a CA, to whichever certificate.
type SetRecord struct {
	CA     string    `json:"ca"`
	Hash   string    `json:"hash"`
	Issued time.Time `json:"issued"`
}

// IssuedSet is the record of a set, in whole seconds, as certificates are dated: so its moments sort as they are written. An error says
// what is missing.
func IssuedSet(ca, hash string, issued time.Time) (SetRecord, error) {
	if err := ValidCA(ca); err != nil {
		return SetRecord{}, err
	}
	if hash == "" || issued.IsZero() {
		return SetRecord{}, misfit(fmt.Errorf("remembering a set of names at %s: hash %q, issued %s: both must be known", ca, hash, issued.Format(time.RFC3339)))
	}
	return SetRecord{CA: ca, Hash: hash, Issued: issued.UTC().Truncate(time.Second)}, nil
}
