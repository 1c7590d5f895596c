package authority

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// Revocation says how a certificate is revoked.
type Revocation struct {
	Reason crl.Reason
	// At is when; zero: now. A time before the certificate was issued or after now is
	// refused.
	At time.Time
	// InvalidAt is when the key is thought to have been lost; zero: not said.
	InvalidAt time.Time
}

// Revoke takes a certificate's validity away; when it returns, that is on disk and
// in every CRL and OCSP answer made from now on. The reason certificateHold can be
// taken back with [Authority.Release]. Needs no key.
func (a *Authority) Revoke(ctx context.Context, serial *big.Int, reason crl.Reason, at time.Time) error {
	return a.RevokeWith(ctx, serial, Revocation{Reason: reason, At: at})
}

// RevokeWith is Revoke with all that can be said.
func (a *Authority) RevokeWith(ctx context.Context, serial *big.Int, r Revocation) error {
	by := a.by()
	if r.Reason == crl.RemoveFromCRL || !r.Reason.Valid() {
		return &pki.RefusedError{Reason: fmt.Sprintf("%v is not a reason to revoke for", r.Reason)}
	}
	if r.At.IsZero() {
		r.At = by.At
	}
	record, err := a.Get(ctx, serial)
	if err != nil {
		return err
	}
	switch {
	case record.DER == nil:
		return &pki.RefusedError{Reason: fmt.Sprintf("the serial number %s is %v: no certificate has it", SerialText(serial), record.State)}
	case record.NotAfter.Before(by.At):
		return &pki.RefusedError{Reason: fmt.Sprintf("the certificate %s expired on %s: nobody takes it any more", SerialText(serial), record.NotAfter.Format(time.DateOnly))}
	case r.At.After(by.At):
		return &pki.RefusedError{Reason: "a certificate cannot be revoked in the future", Hint: "revoke it when it is time"}
	case r.At.Before(record.NotBefore):
		return &pki.RefusedError{Reason: fmt.Sprintf("a certificate cannot be revoked before it is valid (%s)", record.NotBefore.Format(time.RFC3339))}
	}
	err = a.Store.Revoke(ctx, a.record.ID, serial.Bytes(), store.Revocation{At: r.At, Reason: uint8(r.Reason), InvalidAt: r.InvalidAt}, by)
	if errors.Is(err, store.ErrRevoked) {
		since := ""
		if record.Revocation != nil {
			since = fmt.Sprintf(" since %s (%v)", record.Revocation.At.Format(time.RFC3339), crl.Reason(record.Revocation.Reason))
		}
		return &pki.RefusedError{Reason: fmt.Sprintf("the certificate %s is revoked already%s", SerialText(serial), since)}
	}
	if err == nil {
		a.Meter.Revoked(r.Reason)
	}
	return err
}

// Release takes a certificate off hold. Needs no key.
func (a *Authority) Release(ctx context.Context, serial *big.Int) error {
	err := a.Store.Release(ctx, a.record.ID, serial.Bytes(), a.by())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return a.notOnFile(serial)
	case errors.Is(err, store.ErrNotOnHold):
		return &pki.RefusedError{Reason: fmt.Sprintf("the certificate %s is not on hold", SerialText(serial)), Hint: "only what was revoked as certificateHold can be released"}
	}
	return err
}
