package fleetfile

import (
	"errors"
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with the file, and how to mend it.
type Fault struct {
	Line    int    // from 1
	Path    string // such as `certificates[3] (www-x): domains[1]`, counted from 0; empty for the file itself
	Message string // one line; begins with the verb, or with the value in quotes
}

func (f Fault) String() string {
	if f.Path == "" {
		return fmt.Sprintf("line %d: the file %s", f.Line, f.Message)
	}
	return fmt.Sprintf("line %d: %s: %s", f.Line, f.Path, f.Message)
}

// Faults are all that is wrong with a file, in the order of their lines. Ask for its length: an empty list in a variable of type error
// isn't nil.
type Faults []Fault

// Error prints one line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each fault as an error of its own.
func (f Faults) Unwrap() []error {
	all := make([]error, len(f))
	for i, fault := range f {
		all[i] = errors.New(fault.String())
	}
	return all
}

// place is where a value stands in the file.
type place struct {
	line  int
	owner string // `certificates[3] (www-x)`; empty above the certificates
	field string // `secret.tags`
}

func (p place) on(line int) place { return place{line, p.owner, p.field} }

func (p place) child(name string) place {
	if p.field == "" {
		return place{p.line, p.owner, name}
	}
	return place{p.line, p.owner, p.field + "." + name}
}

func (p place) item(i int) place { return place{p.line, p.owner, fmt.Sprintf("%s[%d]", p.field, i)} }

func (p place) String() string {
	switch {
	case p.owner == "":
		return p.field
	case p.field == "":
		return p.owner
	default:
		return p.owner + ": " + p.field
	}
}

func (r *reader) fault(at place, format string, args ...any) {
	r.faults = append(r.faults, Fault{Line: at.line, Path: at.String(), Message: fmt.Sprintf(format, args...)})
}
