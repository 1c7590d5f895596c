package authority

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/revset"
)

// setLifetime is how long a revocation set may be relied on.
const setLifetime = 7 * 24 * time.Hour

// RevocationSet packs the state of every certificate that has not expired into a
// set (see package revset), signed with the issuer's key. It speaks of certificates
// whose validity starts before the set was made, less the time by which
// certificates are dated back and that which a signature may take: what is issued
// with an earlier start on purpose is not in a set made before.
func (a *Authority) RevocationSet(ctx context.Context) ([]byte, error) {
	if err := a.needKey(); err != nil {
		return nil, err
	}
	created := a.Now()
	issuer := sha256.Sum256(a.Issuer.Certificate.RawSubjectPublicKeyInfo)
	var failed error
	keys := func(source iter.Seq2[store.Status, error]) iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			for s, err := range source {
				if err != nil {
					failed = err
					return
				}
				if !yield(revset.Key(issuer, s.Serial)) {
					return
				}
			}
		}
	}
	// What is revoked between the two walks is in the second one: as it was when the set was made.
	set, err := revset.Build(
		keys(a.Store.Statuses(ctx, a.record.ID, created, store.StateRevoked, store.StateOnHold)),
		keys(a.Store.Statuses(ctx, a.record.ID, created)),
		revset.Options{Created: created, Covers: created.Add(-pki.Backdate - a.SignTimeout), Expires: created.Add(setLifetime)})
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("make the revocation set: %w", err)
	}
	if err := set.Sign(a.Issuer.Key); err != nil {
		return nil, err
	}
	der := set.Marshal()
	digest := sha256.Sum256(der)
	err = a.Store.Note(ctx, store.Entry{At: created, Actor: a.Actor, Action: store.ActionSigned, Issuer: a.record.ID, Digest: digest[:],
		Detail: fmt.Sprintf("revocation set, %d bytes", len(der))})
	if err != nil {
		return nil, err
	}
	return der, nil
}
