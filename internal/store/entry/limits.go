package entry

import (
	"errors"
	"fmt"
	"strings"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// LimitSet is what an operator says about a CA's limits. The zero value says nothing: the set goes by the directory's URL.
type LimitSet struct {
	Name      string        // of the limit set (budget.SetNames); empty: by the directory's URL
	Heard     budget.Limits // what the CA itself named in a 429, where that was something else; nobody goes by it
	Overrides budget.Limits // instead of the set's own, for every key or (budget.Name.For) for one
}

// Validate says all that makes no sense in it: field, value and fix.
func (s LimitSet) Validate() error {
	var faults []error
	if _, known := budget.Set(s.Name); s.Name != "" && !known {
		faults = append(faults, fmt.Errorf("limit set: %.100q is unknown; use one of %s", s.Name, strings.Join(budget.SetNames(), ", ")))
	}
	if err := s.Overrides.Validate(); err != nil {
		faults = append(faults, err)
	}
	if err := s.Heard.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("heard: %w", err))
	}
	return errors.Join(faults...)
}

// Hear is s with what the CA named of a limit; news says whether that wasn't known.
func (s LimitSet) Hear(n budget.Name, said budget.Limit) (next LimitSet, news bool) {
	if s.Heard[n] == said {
		return s, false
	}
	s.Heard = s.Heard.With(budget.Limits{n: said})
	return s, true
}

// InForce is what the limits of the CA with that directory are.
func (s LimitSet) InForce(directory string) budget.Limits {
	if set, known := budget.Set(s.Name); known {
		return set.With(s.Overrides)
	}
	_, set := budget.ForDirectory(directory)
	return set.With(s.Overrides)
}

// DirectoryOf is a directory URL of the CA with that host: enough to choose its limit set.
func DirectoryOf(ca string) string { return "https://" + ca + "/directory" }

// CAOf is the CA of a directory URL, as budget keys name it.
func CAOf(directory string) (string, error) {
	ca, err := budget.CAHost(directory)
	if err != nil {
		return "", misfit(err)
	}
	return ca, nil
}

// ValidCA says whether ca names a CA as budget keys do.
func ValidCA(ca string) error {
	host, err := budget.CAHost(DirectoryOf(ca))
	if err != nil || host != ca || strings.ContainsAny(ca, "/ #?@") {
		return misfit(fmt.Errorf("CA: %.200q is not the host of a directory; write it as in https://<CA>/directory, in lower case", ca))
	}
	return nil
}

// CheckLimits says whether a CA's limits may be set so.
func CheckLimits(ca string, s LimitSet) error {
	if err := ValidCA(ca); err != nil {
		return err
	}
	if err := s.Validate(); err != nil {
		return misfit(fmt.Errorf("limits of %s: %w", ca, err))
	}
	return nil
}

// misfit is the failure of an argument that no repeat can mend.
func misfit(err error) error { return renew.Fail(renew.Never, reason.Configuration, err) }
