package emulator

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sources are what the process runs. They travel in the binary, so that it may be started from anywhere.
//
//go:embed emulator.py corrections/*.py
var sources embed.FS

// PythonVariable names the Python of a virtual environment that setup.sh built.
const PythonVariable = "LAB_PYTHON"

// Python finds the Python that runs the emulator: the one that PythonVariable names, else the one that make builds in the
// checkout that holds the working directory. The error says how to get one.
func Python() (string, error) {
	if named := os.Getenv(PythonVariable); named != "" {
		return python(named)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the emulator's Python: %w", err)
	}
	root, err := moduleRoot(dir)
	if err != nil {
		return "", fmt.Errorf("finding the emulator's Python: %w; name it by %s", err, PythonVariable)
	}
	return python(filepath.Join(root, ".cache", "emulator", "bin", "python"))
}

// python checks a path, or finds one where none is given.
func python(path string) (string, error) {
	if path == "" {
		return Python()
	}
	// Stat follows the link to the interpreter: it is missing too when the system's Python was removed under it.
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no Python for the emulator at %s; build it by: internal/lab/emulator/setup.sh .cache/emulator", path)
	}
	return path, nil
}

func moduleRoot(dir string) (string, error) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is in no checkout of certpace")
		}
		dir = parent
	}
}

// unpack writes the sources to a new temporary folder, which is its caller's to remove.
func unpack() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "certpace-emulator-"); err != nil {
		return "", fmt.Errorf("unpacking the emulator: %w", err)
	}
	if err := os.CopyFS(dir, fs.FS(sources)); err != nil {
		return "", fmt.Errorf("unpacking the emulator: %w", errors.Join(err, os.RemoveAll(dir)))
	}
	return dir, nil
}
