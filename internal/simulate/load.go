package simulate

import (
	"fmt"
	"os"
	"path/filepath"
)

// Load reads a scenario's file and its fleet: from the population file that it names, relative to it, or made from its figures.
func Load(path string) (Scenario, []Member, error) {
	f, err := os.Open(path)
	if err != nil {
		return Scenario{}, nil, fmt.Errorf("opening the scenario: %w", err)
	}
	defer f.Close()
	s, err := Parse(f)
	if err != nil {
		return Scenario{}, nil, err
	}
	if s.Fleet.File == "" {
		return s, Generate(s), nil
	}
	at := s.Fleet.File
	if !filepath.IsAbs(at) {
		at = filepath.Join(filepath.Dir(path), at)
	}
	p, err := os.Open(at)
	if err != nil {
		return Scenario{}, nil, fmt.Errorf("scenario: fleet.file: %q can't be opened: %w; give a path relative to the scenario", s.Fleet.File, err)
	}
	defer p.Close()
	fleet, err := ReadPopulation(p, s.Start)
	return s, fleet, err
}
