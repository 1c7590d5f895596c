package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// System is the store of the whole machine: a folder for the administrator's roots, a command that makes a bundle of
// everything, and that bundle.
type System struct {
	Anchors string   // folder of the administrator's roots
	Suffix  string   // of the files in it
	Update  []string // the command after a root was added
	Clean   []string // the command after a root was removed; nil: the same
	Bundle  string   // what programs read, PEM

	elevate []string // in front of what needs root; none: nothing is
}

// layouts are the ways in which distributions lay it out.
func layouts() []System {
	return []System{
		{Anchors: "/etc/pki/ca-trust/source/anchors", Suffix: ".pem", Update: []string{"update-ca-trust", "extract"},
			Bundle: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"},
		{Anchors: "/usr/local/share/ca-certificates", Suffix: ".crt", Update: []string{"update-ca-certificates"},
			Clean: []string{"update-ca-certificates", "--fresh"}, Bundle: "/etc/ssl/certs/ca-certificates.crt"},
		{Anchors: "/usr/share/pki/trust/anchors", Suffix: ".pem", Update: []string{"update-ca-certificates"}, Bundle: "/etc/ssl/ca-bundle.pem"},
		{Anchors: "/etc/ca-certificates/trust-source/anchors", Suffix: ".crt", Update: []string{"trust", "extract-compat"}, Bundle: "/etc/ssl/cert.pem"},
	}
}

func findSystem() *System {
	for _, l := range layouts() {
		if info, err := os.Stat(l.Anchors); err == nil && info.IsDir() {
			return &l
		}
	}
	return nil
}

// Kind implements Store.
func (*System) Kind() string { return "system" }

// Where implements Store.
func (s *System) Where() string { return s.Anchors }

func (s *System) label() string { return "system store " + s.Anchors }

func (s *System) file(root *x509.Certificate) string {
	return filepath.Join(s.Anchors, fileName(root)+s.Suffix)
}

// fileName is the name of root's file in the system's store, without its suffix.
func fileName(root *x509.Certificate) string { return "tlswright-" + nameOf(root) }

// Install implements Store.
func (s *System) Install(ctx context.Context, root *x509.Certificate) error {
	if err := s.put(ctx, root); err != nil {
		return err
	}
	_, err := runAs(ctx, s.elevate, s.label(), s.Update[0], s.Update[1:]...)
	return err
}

func (s *System) put(ctx context.Context, root *x509.Certificate) error {
	if len(s.elevate) == 0 {
		if err := keystore.WriteFile(s.file(root), pki.AppendCertificatePEM(nil, root.Raw), 0o644); err != nil {
			return s.failed(err)
		}
		return nil
	}
	path, remove, err := writeTemp(root)
	if err != nil {
		return err
	}
	defer remove()
	_, err = runAs(ctx, s.elevate, s.label(), "install", "-m", "0644", path, s.file(root))
	return err
}

// Remove implements Store.
func (s *System) Remove(ctx context.Context, root *x509.Certificate) error {
	_, err := os.Lstat(s.file(root))
	if errors.Is(err, fs.ErrNotExist) {
		// Where somebody was interrupted in between, only the bundle still has it.
		roots, err := s.Roots(ctx)
		if err != nil || !holds(roots, root) {
			return err
		}
	} else if len(s.elevate) > 0 {
		_, err = runAs(ctx, s.elevate, s.label(), "rm", "-f", s.file(root))
	} else if err = os.Remove(s.file(root)); err != nil {
		err = s.failed(err)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	clean := s.Clean
	if clean == nil {
		clean = s.Update
	}
	// Debian leaves the links of what is gone in place unless it is told to begin afresh.
	_, err = runAs(ctx, s.elevate, s.label(), clean[0], clean[1:]...)
	return err
}

// Roots implements Store.
func (s *System) Roots(context.Context) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(s.Bundle)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.failed(err)
	}
	ders, err := pki.CertificatesPEM(text)
	if err != nil {
		return nil, nil // an empty bundle trusts nobody
	}
	var roots []*x509.Certificate
	for _, der := range ders {
		if c, err := cert.ParseX509(der); err == nil { // a store may hold roots that Go does not read
			roots = append(roots, c)
		}
	}
	return roots, nil
}

func (s *System) failed(err error) error {
	e := &Error{Store: s.label(), Text: err.Error(), Err: err}
	if errors.Is(err, fs.ErrPermission) {
		e.Hint = needsRoot
	}
	return e
}
