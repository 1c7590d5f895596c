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
// with an earlier start on purpose is not in a set made before. Where the records
// came back from a backup, nobody knows what was issued between that and their
// loss, and no answer about it would be right: sets then speak only of what began
// before the backup.
func (a *Authority) RevocationSet(ctx context.Context) ([]byte, error) {
	if err := a.needKey(); err != nil {
		return nil, err
	}
	created := a.Now()
	covers, err := a.coveredUntil(ctx, created)
	if err != nil {
		return nil, err
	}
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
		revset.Options{Created: created, Covers: covers, Expires: created.Add(setLifetime)})
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("make the revocation set: %w", err)
	}
	if err := set.Sign(a.Issuer.Key); err != nil {
		return nil, err
	}
	a.Meter.Signed("set")
	der := set.Marshal()
	digest := sha256.Sum256(der)
	err = a.Store.Note(ctx, store.Entry{At: created, Actor: a.Actor, Action: store.ActionSigned, Issuer: a.record.ID, Digest: digest[:],
		Detail: fmt.Sprintf("revocation set, %d bytes", len(der))})
	if err != nil {
		return nil, err
	}
	return der, nil
}

// coveredUntil is the latest start of validity up to which everything that was issued is on record.
func (a *Authority) coveredUntil(ctx context.Context, now time.Time) (time.Time, error) {
	entries, err := a.Store.AuditOf(ctx, store.ActionBackup, store.ActionRestored)
	if err != nil {
		return time.Time{}, err
	}
	until := now
	var backup time.Time // zero: none yet
	for _, e := range entries {
		switch {
		case e.Action == store.ActionBackup:
			backup = e.At // noted before the copy is made
		case backup.IsZero():
			return time.Time{}, &pki.RefusedError{
				Reason: "the records were restored, and nothing says from when they are: a revocation set would be wrong about what was issued since",
				Hint:   "publish a CRL instead",
			}
		case backup.Before(until):
			until = backup
		}
	}
	return until.Add(-pki.Backdate - a.SignTimeout), nil
}
