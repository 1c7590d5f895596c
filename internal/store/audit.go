package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

// What an entry of the audit log is about.
const (
	ActionCreated  = "created"  // the log itself
	ActionIssuer   = "issuer"   // an issuer, or its new certificate, was made known
	ActionIssued   = "issued"   // a certificate; the digest is that of its DER
	ActionImported = "imported" // a certificate that was signed before there was a database
	ActionRefused  = "refused"
	ActionLost     = "lost"
	ActionRevoked  = "revoked"
	ActionReleased = "released" // from hold
	ActionCRL      = "crl"      // a number was given out
	ActionSigned   = "signed"   // a CRL, an OCSP responder or another thing; the digest is that of its DER
	ActionAdmin    = "admin"    // somebody may act over the admin API, or may no longer
	ActionBackup   = "backup"
	ActionRestored = "restored"
)

// Entry is one entry of the audit log.
type Entry struct {
	Seq     int64
	At      time.Time
	Actor   string
	Action  string
	Issuer  int64
	Request int64  // 0: none
	Digest  []byte // SHA-256, or empty
	Detail  string
	Prev    []byte // SHA-256 of the entry before, zeros for the first
}

// Hash is the SHA-256 of everything in the entry, the hash of the one before
// included: whoever keeps it can tell later whether anything up to here was
// changed.
func (e *Entry) Hash() [32]byte {
	b := make([]byte, 0, 256)
	b = append(b, "tlswright audit 1\n"...)
	for _, n := range [...]int64{e.Seq, millis(e.At), e.Issuer, e.Request} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, s := range [...]string{e.Actor, e.Action, string(e.Digest), e.Detail, string(e.Prev)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// note adds an entry to the transaction; it is chained when that ends.
func (c *change) note(e Entry) { c.audit = append(c.audit, e) }

// Note adds an entry about something outside the database.
func (s *Store) Note(ctx context.Context, e Entry) error {
	return s.do(ctx, &write{run: func(c *change) error {
		c.note(e)
		return nil
	}})
}

// flushAudit chains the entries of the transaction to the last one and writes them.
func (c *change) flushAudit() error {
	if len(c.audit) == 0 {
		return nil
	}
	if err := c.chain(); err != nil {
		return err
	}
	prev, seq, err := c.lastEntry()
	if err != nil {
		return err
	}
	for i := range c.audit {
		e := &c.audit[i]
		seq++
		e.Seq, e.Prev = seq, prev
		e.At = moment(millis(e.At)) // hashed as it will be read
		if e.Digest == nil {
			e.Digest = []byte{}
		}
		hash := e.Hash()
		prev = hash[:]
	}
	return c.insert("audit (seq, at, actor, action, issuer, request, digest, detail, prev)", 9, len(c.audit), func(args []any, i int) []any {
		e := &c.audit[i]
		return append(args, e.Seq, millis(e.At), e.Actor, e.Action, e.Issuer, e.Request, e.Digest, e.Detail, e.Prev)
	})
}

const entryColumns = `seq, at, actor, action, issuer, request, digest, detail, prev`

// scanEntry reads a row of entryColumns.
func scanEntry(scan func(...any) error) (e Entry, err error) {
	var at int64
	err = scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Issuer, &e.Request, &e.Digest, &e.Detail, &e.Prev)
	e.At = moment(at)
	return e, err
}

func (c *change) lastEntry() (hash []byte, seq int64, err error) {
	e, err := scanEntry(func(into ...any) error {
		return c.row(into, `SELECT `+entryColumns+` FROM audit ORDER BY seq DESC LIMIT 1`)
	})
	if errors.Is(err, ErrNotFound) {
		return make([]byte, sha256.Size), 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	sum := e.Hash()
	return sum[:], e.Seq, nil
}

// Audit gives the entries from number from on, oldest first, one at a time.
func (s *Store) Audit(ctx context.Context, from int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		next := func(from int64) ([]Entry, error) {
			return collect(ctx, s, scanEntry, `SELECT `+entryColumns+` FROM audit WHERE seq >= $1 ORDER BY seq LIMIT $2`, from, pageSize)
		}
		for {
			page, err := next(from)
			if err != nil {
				yield(Entry{}, s.explain(err, "read the audit log"))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				from = e.Seq + 1
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// AuditOf gives the entries of these actions, oldest first: for those that are few.
func (s *Store) AuditOf(ctx context.Context, one, other string) ([]Entry, error) {
	found, err := collect(ctx, s, scanEntry, `SELECT `+entryColumns+` FROM audit WHERE action IN ($1, $2) ORDER BY seq`, one, other)
	return found, s.explain(err, "read the audit log")
}

// AuditHead is the end of the log: written down elsewhere, it proves later that
// nothing up to it was changed.
type AuditHead struct {
	Seq  int64
	Hash [32]byte
}

// AuditError says where the audit log does not hold.
type AuditError struct {
	Seq  int64
	Text string
}

// Error implements error.
func (e *AuditError) Error() string { return fmt.Sprintf("audit log, entry %d: %s", e.Seq, e.Text) }

// VerifyAudit checks the whole log: that the entries follow each other without a
// gap, each with the hash of the one before; that each certificate has one entry
// about its issue, with the digest of the bytes that are on file; and that each
// revocation on file has an entry, as many of the one as of the other. What does
// not hold is an [*AuditError]. Entries cut off at the end are noticed only where
// rows remain that they were about, or by who kept an [AuditHead].
func (s *Store) VerifyAudit(ctx context.Context) (AuditHead, error) {
	o := &sql.TxOptions{ReadOnly: true}
	if s.postgres != nil {
		o.Isolation = sql.LevelRepeatableRead // all its questions are about one moment, as SQLite has it anyway
	}
	tx, err := s.readers.BeginTx(ctx, o)
	if err != nil {
		return AuditHead{}, s.explain(err, "read the audit log")
	}
	head, err := verifyAudit(ctx, tx)
	return head, s.explain(errors.Join(err, tx.Rollback()), "verify the audit log")
}

func verifyAudit(ctx context.Context, tx *sql.Tx) (head AuditHead, err error) {
	// The entries, with the certificate that each one on an issue is about.
	rows, err := tx.QueryContext(ctx, `SELECT a.seq, a.at, a.actor, a.action, a.issuer, a.request, a.digest, a.detail, a.prev, c.der
		FROM audit a LEFT JOIN certificates c ON c.id = a.request AND a.action IN ('issued', 'imported', 'completed') ORDER BY a.seq`)
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var issued, changed int64
	replaced := make(map[int64]int64) // by request: the entry on a precertificate, whose certificate must follow
	for rows.Next() {
		var der sql.RawBytes
		e, err := scanEntry(func(into ...any) error { return rows.Scan(append(into, &der)...) })
		if err != nil {
			return head, err
		}
		switch {
		case e.Seq != head.Seq+1:
			return head, &AuditError{e.Seq, fmt.Sprintf("it follows entry %d: entries are missing", head.Seq)}
		case string(e.Prev) != string(head.Hash[:]):
			return head, &AuditError{head.Seq, "it was changed: the next entry holds another hash of it"}
		}
		switch e.Action {
		case ActionIssued, ActionImported:
			issued++
			if sum := sha256.Sum256(der); der == nil || string(sum[:]) != string(e.Digest) {
				replaced[e.Request] = e.Seq
			}
		case ActionCompleted:
			if sum := sha256.Sum256(der); der == nil || string(sum[:]) != string(e.Digest) {
				return head, &AuditError{e.Seq, fmt.Sprintf("the certificate on file is not the one that was issued (request %d)", e.Request)}
			}
			delete(replaced, e.Request)
		case ActionRevoked, ActionReleased:
			changed++
		}
		head = AuditHead{Seq: e.Seq, Hash: e.Hash()}
	}
	if err := rows.Err(); err != nil {
		return head, err
	}
	for request, seq := range replaced {
		return head, &AuditError{seq, fmt.Sprintf("the certificate on file is not the one that was issued (request %d)", request)}
	}
	var certificates, changes int64
	if err := tx.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM certificates), (SELECT COUNT(*) FROM revocations)`).Scan(&certificates, &changes); err != nil {
		return head, err
	}
	if issued != certificates {
		return head, &AuditError{head.Seq, fmt.Sprintf("%d certificates are on file, the log knows of %d", certificates, issued)}
	}
	if changed != changes {
		return head, &AuditError{head.Seq, fmt.Sprintf("%d revocations are on file, the log knows of %d", changes, changed)}
	}
	return head, nil
}
