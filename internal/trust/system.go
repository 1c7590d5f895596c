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
)

// System is the store of the whole machine: a folder for the administrator's roots, a command that makes a bundle of
// everything, and that bundle.
type System struct {
	Anchors string   // folder of the administrator's roots
	Suffix  string   // of the files in it
	Update  []string // the command after a root was added
	Clean   []string // the command after a root was removed; nil: the same
	Bundle  string   // what programs read, PEM
}

// layouts are the ways in which distributions lay it out.
func layouts() []System {
	return []System{
		{"/etc/pki/ca-trust/source/anchors", ".pem", []string{"update-ca-trust", "extract"}, nil, "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"},
		{"/usr/local/share/ca-certificates", ".crt", []string{"update-ca-certificates"},
			[]string{"update-ca-certificates", "--fresh"}, "/etc/ssl/certs/ca-certificates.crt"},
		{"/usr/share/pki/trust/anchors", ".pem", []string{"update-ca-certificates"}, nil, "/etc/ssl/ca-bundle.pem"},
		{"/etc/ca-certificates/trust-source/anchors", ".crt", []string{"trust", "extract-compat"}, nil, "/etc/ssl/cert.pem"},
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
	if err := keystore.WriteFile(s.file(root), pki.AppendCertificatePEM(nil, root.Raw), 0o644); err != nil {
		return s.failed(err)
	}
	_, err := run(ctx, s.label(), s.Update[0], s.Update[1:]...)
	return err
}

// Remove implements Store.
func (s *System) Remove(ctx context.Context, root *x509.Certificate) error {
	err := os.Remove(s.file(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return s.failed(err)
	}
	clean := s.Clean
	if clean == nil {
		clean = s.Update
	}
	// Debian leaves the links of what is gone in place unless it is told to begin afresh.
	_, err = run(ctx, s.label(), clean[0], clean[1:]...)
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
		if c, err := x509.ParseCertificate(der); err == nil { // a store may hold roots that Go does not read
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
