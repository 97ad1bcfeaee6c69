package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/app/operator"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/renew"
)

type exportCmd struct {
	Name string `arg:"" name:"certificate" help:"Certificate to export."`
	Dir  string `short:"d" required:"" placeholder:"DIR" help:"Where to write cert.pem, chain.pem, fullchain.pem and privkey.pem."`
	Key  bool   `default:"true" negatable:"" help:"Write privkey.pem too (mode 0600)."`
}

// exported is the JSON that export prints; it is stable, and holds no key.
type exported struct {
	Certificate string   `json:"certificate"`
	Serial      string   `json:"serial"`
	VersionID   string   `json:"version_id"`
	Files       []string `json:"files"`
}

// Run writes what consumers read now. The key is written only here, where it was asked for by name, and only its owner may read it.
func (e *exportCmd) Run(r *run) error {
	op, err := r.open()
	if err != nil {
		return err
	}
	stored, err := op.Vault.Value(r, e.Name)
	if errors.Is(err, renew.ErrNoSecret) {
		return e.absent(r, op)
	}
	if err != nil {
		return err
	}
	x := exported{Certificate: e.Name, Serial: stored.Bundle.Serial, VersionID: stored.VersionID}
	if x.Files, err = e.write(stored.Bundle); err != nil {
		return err
	}
	rows := make([]table.Row, 0, len(x.Files))
	for _, f := range x.Files {
		rows = append(rows, table.Row{f})
	}
	return r.print(x, table.Row{"file"}, rows)
}

// absent is the error of a certificate without a secret. Export needs no table: only one that is
// there to be read tells whether the name is in the inventory at all.
func (e *exportCmd) absent(r *run, op *operator.Operator) error {
	if op.Config.Table != "" {
		if _, err := op.Store.Certificate(r, e.Name); errors.Is(err, renew.ErrUnknown) {
			return unknown(e.Name)
		}
	}
	return fmt.Errorf("certificate %q has no secret yet; `certpace status %s` says why", e.Name, e.Name)
}

func (e *exportCmd) write(b bundle.Bundle) (files []string, err error) {
	if err := os.MkdirAll(e.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder: %w", err)
	}
	parts := []struct {
		name, text string
		mode       os.FileMode
	}{
		{"cert.pem", b.Certificate, 0o644}, {"chain.pem", b.Chain, 0o644}, {"fullchain.pem", b.FullChain, 0o644}, {"privkey.pem", b.PrivateKey, 0o600},
	}
	for _, p := range parts {
		if p.name == "privkey.pem" && (!e.Key || p.text == "") { // where the key is the user's own there is none to write
			continue
		}
		path := filepath.Join(e.Dir, p.name)
		if err := replace(path, p.text, p.mode); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}

// replace writes a file beside its place and moves it there: whoever reads it sees the old one or the new one, with the right mode.
func replace(path, text string, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".certpace-*") // 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	if err := errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
