package store

import (
	"context"
	"fmt"
)

// ActionCompleted is the audit log's word for a precertificate on file that became a
// certificate; the digest is that of the certificate's DER.
const ActionCompleted = "completed"

// Complete puts the certificate in the place of its precertificate, which was
// recorded before it left for the logs; when it returns, that is on disk and the
// certificate may be handed out. [ErrNotOpen]: what is on file is not that
// precertificate, or it was revoked in the meantime.
func (s *Store) Complete(ctx context.Context, precertificate []byte, c NewCertificate) error {
	return s.do(ctx, &write{run: func(t *change) error {
		n, err := t.affected(`UPDATE certificates SET der = $1 WHERE id = $2 AND state = $3 AND der = $4`, c.DER, c.ID, int64(StateIssued), precertificate)
		if err != nil {
			return err
		}
		if n != 1 {
			return ErrNotOpen
		}
		if c.Order != "" {
			if err := t.fulfil(c.Order, fmt.Sprintf("%x", c.Serial)); err != nil {
				return err
			}
		}
		t.note(Entry{At: c.At, Actor: c.Actor, Action: ActionCompleted, Issuer: c.Issuer, Request: c.ID, Digest: c.Digest[:], Detail: issuedText(&c)})
		return nil
	}})
}
