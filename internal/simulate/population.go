package simulate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// maxNames is how many names a certificate may have (docs/limits.md, section 1).
const maxNames = 100

// maxLine is how many bytes a line of a population may have: 100 names of 253 characters, with room to spare.
const maxLine = 64 << 10

// Member is one certificate of a population, as it stands at the start.
type Member struct {
	Name      string
	Domains   []string  // lower-case, sorted, distinct
	NotBefore time.Time // of what is in use; zero where there is nothing
	NotAfter  time.Time
	WantedAt  time.Time // where nothing is in use
}

// InUse says whether the member has a certificate at the start.
func (m Member) InUse() bool { return !m.NotAfter.IsZero() }

// line is one line of a population file.
type line struct {
	Name      string     `json:"name"`
	Domains   []string   `json:"domains"`
	NotBefore *time.Time `json:"not_before"`
	NotAfter  *time.Time `json:"not_after"`
	WantedAt  *time.Time `json:"wanted_at"`
}

// ReadPopulation reads a population: one JSON object a line; empty lines count for nothing. What was issued, was so before start. The
// error is one message: the line, the field, its value, and the fix.
func ReadPopulation(r io.Reader, start time.Time) ([]Member, error) {
	return readPopulation(r, start, mostCertificates, mostNames)
}

// readPopulation is ReadPopulation with other bounds: of certificates, and of their names together.
func readPopulation(r io.Reader, start time.Time, most, mostNames int) ([]Member, error) {
	var all []Member
	seen := map[string]int{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	n, names := 0, 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		m, err := parseMember(lines.Bytes(), start)
		if err != nil {
			return nil, fmt.Errorf("population: line %d: %w", n, err)
		}
		if before, twice := seen[m.Name]; twice {
			return nil, fmt.Errorf("population: line %d: name: %q is on line %d already; give each certificate a name of its own", n, m.Name, before)
		}
		seen[m.Name] = n
		all, names = append(all, m), names+len(m.Domains)
		if len(all) > most || names > mostNames {
			return nil, fmt.Errorf("population: line %d: %d certificates with %d names so far, and %d with %d are the most; split the file, and simulate one part after the other",
				n, len(all), names, most, mostNames)
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, fmt.Errorf("population: line %d: %w; a line has at most %d bytes", n+1, err, maxLine)
	case len(all) == 0:
		return nil, fmt.Errorf("population: is empty; write one JSON object a line, with name, domains and not_before and not_after, or wanted_at")
	}
	return all, nil
}

func parseMember(data []byte, start time.Time) (Member, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Member{}, fmt.Errorf("is not an object of name, domains, not_before, not_after and wanted_at (times RFC 3339): %s; correct it", oneLine(err.Error()))
	}
	if _, err := d.Token(); err != io.EOF {
		return Member{}, fmt.Errorf("something follows the object; write one object a line")
	}
	m := Member{Name: l.Name}
	if !inventory.ValidName(l.Name) {
		return m, fmt.Errorf("name: %.140q is not a certificate's name; use %s", l.Name, inventory.NameRule)
	}
	if err := m.takeDomains(l.Domains); err != nil {
		return m, err
	}
	return m, m.takeTimes(l, start)
}

func (m *Member) takeDomains(names []string) error {
	for _, n := range names {
		if bad := strings.TrimPrefix(n, "*."); n == "" || len(n) > 253 || !strings.Contains(bad, ".") || strings.ContainsFunc(bad, notInNames) ||
			strings.HasPrefix(bad, ".") || strings.HasSuffix(bad, ".") || strings.Contains(bad, "..") {
			return fmt.Errorf("domains: %.260q is not a DNS name; write it as A-labels, such as www.example.com or *.example.com", n)
		}
		m.Domains = append(m.Domains, strings.ToLower(n))
	}
	slices.Sort(m.Domains)
	m.Domains = slices.Compact(m.Domains)
	if n := len(m.Domains); n < 1 || n > maxNames {
		return fmt.Errorf("domains: has %d names; give 1 to %d", n, maxNames)
	}
	return nil
}

func notInNames(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

func (m *Member) takeTimes(l line, start time.Time) error {
	switch {
	case l.WantedAt != nil && (l.NotBefore != nil || l.NotAfter != nil):
		return fmt.Errorf("wanted_at: %s stands beside not_before or not_after; it is for a certificate that has nothing in use yet, remove one of both", stamp(*l.WantedAt))
	case l.WantedAt != nil:
		m.WantedAt = ceilSecond(l.WantedAt.UTC())
		return sane("wanted_at", m.WantedAt)
	case l.NotBefore == nil || l.NotAfter == nil:
		return fmt.Errorf("not_before, not_after: one is missing; give both of what is in use, or wanted_at where there is nothing yet")
	case !l.NotAfter.After(*l.NotBefore):
		return fmt.Errorf("not_after: %s is not after not_before, %s; give the end of what is in use", stamp(*l.NotAfter), stamp(*l.NotBefore))
	case l.NotBefore.After(start):
		return fmt.Errorf("not_before: %s is after the start, %s; what is in use was issued before it", stamp(*l.NotBefore), stamp(start))
	}
	m.NotBefore, m.NotAfter = l.NotBefore.UTC(), l.NotAfter.UTC()
	if err := sane("not_before", m.NotBefore); err != nil {
		return err
	}
	return sane("not_after", m.NotAfter)
}

func sane(field string, t time.Time) error {
	if t.Year() < 1990 || t.Year() > 2200 {
		return fmt.Errorf("%s: %s is not between 1990 and 2200; give a year in which there are certificates", field, stamp(t))
	}
	return nil
}

// ceilSecond is t, or the next whole second.
func ceilSecond(t time.Time) time.Time {
	if cut := t.Truncate(time.Second); cut.Before(t) {
		return cut.Add(time.Second)
	}
	return t
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
