package store

import (
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func TestAPrecertificateBecomesACertificate(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "ca.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := &fixture{T: t, Store: s, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	f.issuer, err = f.Introduce(t.Context(), Issuer{Name: "CN=Test CA", KeyHash: sha256.Sum256([]byte("key")), Certificate: []byte("ca"), Shards: 4}, f.by())
	f.must(err)
	id := f.issue(1)
	f.issue(2)
	pre := f.certificate(1, id).DER
	final := f.certificate(1, id)
	final.DER = []byte("the certificate")
	final.Digest = sha256.Sum256(final.DER)

	if err := s.Complete(t.Context(), []byte("another precertificate"), final); !errors.Is(err, ErrNotOpen) {
		t.Errorf("of another precertificate: %v", err)
	}
	f.must(s.Complete(t.Context(), pre, final))
	if c, err := s.Get(t.Context(), f.issuer.ID, serial(1)); err != nil || string(c.DER) != "the certificate" {
		t.Errorf("%+v, %v", c, err)
	}
	if err := s.Complete(t.Context(), pre, final); !errors.Is(err, ErrNotOpen) {
		t.Errorf("twice: %v", err)
	}
	f.verified()
	f.must(s.Revoke(t.Context(), f.issuer.ID, serial(2), Revocation{At: f.now}, f.by()))
	second := f.certificate(2, 2)
	if err := s.Complete(t.Context(), second.DER, second); !errors.Is(err, ErrNotOpen) {
		t.Errorf("of a revoked one: %v", err)
	}
	f.must(s.do(t.Context(), &write{run: func(c *change) error {
		return c.exec(`UPDATE certificates SET der = $1 WHERE id = $2`, []byte("forged"), id)
	}}))
	var found *AuditError
	if _, err := s.VerifyAudit(t.Context()); !errors.As(err, &found) {
		t.Errorf("a certificate that was changed afterwards: %v", err)
	}
}
