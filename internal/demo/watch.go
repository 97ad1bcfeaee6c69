package demo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/lab/lambda"
)

// standing is what the demo reads of `certpace status -o json`.
type standing struct {
	Certificate string   `json:"certificate"`
	Domains     []string `json:"domains"`
	Serial      string   `json:"serial"`
	KeyType     string   `json:"key_type"`
	Reason      string   `json:"reason"`
	Message     string   `json:"message"`
	InProgress  bool     `json:"in_progress"`
}

func (s *show) status(names ...string) ([]standing, error) {
	r, err := s.cloud.CLI(s, "", append([]string{"status", "-o", "json"}, names...)...)
	if err != nil {
		return nil, err
	}
	if r.Code != 0 {
		return nil, fmt.Errorf("certpace status: %s", r.Stderr)
	}
	var all []standing
	return all, json.Unmarshal([]byte(r.Stdout), &all)
}

// watch shows each certificate as it comes into use, and what the CA has heard meanwhile, until as many as wanted are. The schedule ticks on.
func (s *show) watch(wanted int) error {
	shown, said, ticked := map[string]bool{}, time.Now(), time.Now()
	return s.until(fmt.Sprint(wanted, " certificates"), func() (bool, error) {
		if time.Since(ticked) > tick {
			ticked = time.Now()
			if err := s.tick(); err != nil {
				return false, err
			}
		}
		all, err := s.status()
		if err != nil {
			return false, err
		}
		done := 0
		for _, c := range all {
			if c.Serial == "" || c.InProgress {
				continue
			}
			done++
			if !shown[c.Certificate] {
				shown[c.Certificate] = true
				s.line("  %s issued  %-14s %-8s %s", s.clock(), c.Certificate, c.KeyType, brief(c.Domains))
			}
		}
		if time.Since(said) > 3*time.Second && done < wanted {
			said = time.Now()
			s.line("  %s         … %d of %d; the CA has heard %d requests, %d orders", s.clock(), done, wanted, len(s.cloud.CA.Requests()), len(s.cloud.CA.Orders()))
		}
		return done >= wanted, nil
	})
}

// batch is told of every batch that the mapping delivered.
func (s *show) batch(b lambda.Batch) { s.tally.add(b) }

func (s *show) inUse(name string) (bool, error) {
	all, err := s.status(name)
	return err == nil && all[0].Serial != "" && !all[0].InProgress, err
}

func (s *show) serial(name string) (string, error) {
	all, err := s.status(name)
	if err != nil {
		return "", err
	}
	return all[0].Serial, nil
}

func (s *show) ordersOf(domain string) (n int) {
	for _, o := range s.cloud.CA.Orders() {
		if has(o.Names, domain) {
			n++
		}
	}
	return n
}

func (s *show) issuedFor(domain string) (n int) {
	for _, i := range s.cloud.CA.Issued() {
		if has(i.Names, domain) {
			n++
		}
	}
	return n
}

func has(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func brief(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	}
	return strings.Join(names, ", ")
}

func join(args []string) string {
	return strings.Join(args, " ")
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
