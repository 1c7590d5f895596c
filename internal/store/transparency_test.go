package store

import (
	"crypto/sha256"
	"errors"
	"testing"
)

func aPrecertificateBecomesACertificate(t *testing.T, f *fixture) {
	id := f.issue(1)
	f.issue(2)
	pre := f.certificate(1, id).DER
	final := f.certificate(1, id)
	final.DER = []byte("the certificate")
	final.Digest = sha256.Sum256(final.DER)

	if err := f.Complete(t.Context(), []byte("another precertificate"), final); !errors.Is(err, ErrNotOpen) {
		t.Errorf("of another precertificate: %v", err)
	}
	f.must(f.Complete(t.Context(), pre, final))
	if c, err := f.Get(t.Context(), f.issuer.ID, serial(1)); err != nil || string(c.DER) != "the certificate" {
		t.Errorf("%+v, %v", c, err)
	}
	if err := f.Complete(t.Context(), pre, final); !errors.Is(err, ErrNotOpen) {
		t.Errorf("twice: %v", err)
	}
	f.verified()
	f.must(f.Revoke(t.Context(), f.issuer.ID, serial(2), Revocation{At: f.now}, f.by()))
	second := f.certificate(2, 2)
	if err := f.Complete(t.Context(), second.DER, second); !errors.Is(err, ErrNotOpen) {
		t.Errorf("of a revoked one: %v", err)
	}
	f.must(f.do(t.Context(), &write{run: func(c *change) error {
		return c.exec(`UPDATE certificates SET der = $1 WHERE id = $2`, []byte("forged"), id)
	}}))
	var found *AuditError
	if _, err := f.VerifyAudit(t.Context()); !errors.As(err, &found) {
		t.Errorf("a certificate that was changed afterwards: %v", err)
	}
}
