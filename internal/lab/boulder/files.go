package boulder

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// files is the folder that one Boulder keeps everything in.
type files struct{ dir string }

func (f files) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

// write makes a file that only we read; some parts refuse any other.
func (f files) write(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o700); err != nil {
		return fmt.Errorf("writing %s of Boulder: %w", name, err)
	}
	if err := os.WriteFile(f.path(name), content, 0o600); err != nil {
		return fmt.Errorf("writing %s of Boulder: %w", name, err)
	}
	return nil
}

func (f files) writeJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s of Boulder: %w", name, err)
	}
	return f.write(name, text)
}

// newFiles makes the folder, and says how it is taken away.
func newFiles(dir string) (f files, remove func() error, err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "certpace-boulder-"); err != nil {
			return f, nil, fmt.Errorf("making a folder for Boulder: %w", err)
		}
		return files{dir}, func() error { return os.RemoveAll(dir) }, nil
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return f, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return f, nil, fmt.Errorf("making a folder for Boulder: %w", err)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return f, nil, fmt.Errorf("reading the folder for Boulder: %w", err)
	}
	if len(there) > 0 {
		return f, nil, fmt.Errorf("the folder for Boulder, %s, isn't empty (it has %s): name another one, or remove it", dir, there[0].Name())
	}
	return files{dir}, func() error { return nil }, nil
}
