package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Reasons that this package treats differently (RFC 5280, Section 5.3.1).
const (
	reasonHold   = 6
	reasonRemove = 8
)

// Revocation is what a CRL says of a certificate.
type Revocation struct {
	At        time.Time
	Reason    uint8     // RFC 5280, Section 5.3.1
	InvalidAt time.Time // when the key is thought to have been lost; zero: not said
}

func digestOf(b []byte) [32]byte { return sha256.Sum256(b) }

// Revoke takes a certificate's validity away; when it returns, that is on disk and
// in every CRL that is given a number from now on. Reason 6 puts it on hold;
// what is on hold can be revoked for good. [ErrRevoked]: it is revoked already;
// [ErrNotFound]: no certificate has that number.
func (s *Store) Revoke(ctx context.Context, issuer int64, serial []byte, r Revocation, by By) error {
	return s.do(ctx, &write{run: func(c *change) error { return c.revoke(issuer, serial, r, by) }})
}

func (c *change) revoke(issuer int64, serial []byte, r Revocation, by By) error {
	id, state, err := c.standing(issuer, serial)
	if err != nil {
		return err
	}
	if state == StateRevoked || state == StateOnHold && r.Reason == reasonHold {
		return ErrRevoked
	}
	next := StateRevoked
	if r.Reason == reasonHold {
		next = StateOnHold
	}
	if err := c.changeStanding(id, issuer, next, r, by); err != nil {
		return err
	}
	c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionRevoked, Issuer: issuer, Request: id,
		Detail: fmt.Sprintf("serial %x, reason %d, at %s", serial, r.Reason, r.At.UTC().Format(time.RFC3339))})
	return nil
}

// Release ends a hold; [ErrNotOnHold] if there is none.
func (s *Store) Release(ctx context.Context, issuer int64, serial []byte, by By) error {
	return s.do(ctx, &write{run: func(c *change) error {
		id, state, err := c.standing(issuer, serial)
		if err != nil {
			return err
		}
		if state != StateOnHold {
			return ErrNotOnHold
		}
		if err := c.changeStanding(id, issuer, StateIssued, Revocation{At: by.At, Reason: reasonRemove}, by); err != nil {
			return err
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionReleased, Issuer: issuer, Request: id, Detail: fmt.Sprintf("serial %x", serial)})
		return nil
	}})
}

// standing is how a certificate stands. It is going to change, and changes come in one order: see [change.chain].
func (c *change) standing(issuer int64, serial []byte) (id int64, state State, err error) {
	if err := c.chain(); err != nil {
		return 0, 0, err
	}
	err = c.row([]any{&id, &state}, `SELECT c.id, c.state FROM requests r JOIN certificates c ON c.id = r.id WHERE r.issuer = $1 AND r.serial = $2`, issuer, serial)
	return id, state, err
}

func (c *change) changeStanding(id, issuer int64, to State, r Revocation, by By) error {
	if err := c.exec(`UPDATE certificates SET state = $1 WHERE id = $2`, int64(to), id); err != nil {
		return err
	}
	err := c.exec(`INSERT INTO revocations (issuer, certificate, revoked_at, reason, invalid_at, crl_number, noted_at)
		VALUES ($1, $2, $3, $4, $5, (SELECT crl_number FROM issuers WHERE id = $6), $7)`,
		issuer, id, millis(r.At), int64(r.Reason), number(millis(r.InvalidAt)), issuer, millis(by.At))
	if err != nil {
		return err
	}
	return c.announce()
}

// CRLNumber is a number for a CRL, with the last change that such a CRL contains.
type CRLNumber struct {
	Number  int64
	Horizon int64
}

// NextCRL gives the next number out; when it returns, that is on disk, so no
// number is given twice, whatever becomes of the CRL.
func (s *Store) NextCRL(ctx context.Context, issuer int64, detail string, by By) (n CRLNumber, err error) {
	err = s.do(ctx, &write{run: func(c *change) error {
		if err := c.chain(); err != nil {
			return err
		}
		err := c.row([]any{&n.Number, &n.Horizon}, `UPDATE issuers SET crl_number = crl_number + 1 WHERE id = $1
			RETURNING crl_number, COALESCE((SELECT MAX(change) FROM revocations), 0)`, issuer)
		if err != nil {
			return err
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionCRL, Issuer: issuer, Detail: fmt.Sprintf("number %d: %s", n.Number, detail)})
		return nil
	}})
	return n, err
}

// RaiseCRLNumber lets the next number be greater than least: after a backup was
// restored, numbers may have been given out that it does not know of.
func (s *Store) RaiseCRLNumber(ctx context.Context, issuer, least int64) error {
	return s.do(ctx, &write{run: func(c *change) error {
		if err := c.chain(); err != nil {
			return err
		}
		return c.exec(`UPDATE issuers SET crl_number = $1 WHERE id = $2 AND crl_number < $3`, least, issuer, least)
	}})
}

// CRLState is the last CRL of a scope that left.
type CRLState struct {
	CRLNumber
	Scope      string
	ThisUpdate time.Time
	NextUpdate time.Time
	Entries    int64
}

// RecordCRL notes that a CRL leaves; when it returns, that is on disk.
// [ErrOldNumber]: one of the same scope with a greater number has left before.
func (s *Store) RecordCRL(ctx context.Context, issuer int64, state CRLState, digest [32]byte, by By) error {
	return s.do(ctx, &write{run: func(c *change) error {
		n, err := c.affected(`INSERT INTO crl_state (issuer, scope, number, horizon, this_update, next_update, entries) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (issuer, scope) DO UPDATE SET number = excluded.number, horizon = excluded.horizon, this_update = excluded.this_update,
			next_update = excluded.next_update, entries = excluded.entries WHERE crl_state.number < excluded.number`,
			issuer, state.Scope, state.Number, state.Horizon, millis(state.ThisUpdate), millis(state.NextUpdate), state.Entries)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrOldNumber
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionSigned, Issuer: issuer, Digest: digest[:],
			Detail: fmt.Sprintf("CRL number %d, %s, %d entries", state.Number, state.Scope, state.Entries)})
		return nil
	}})
}

// LastCRL gives the last CRL of a scope that left; [ErrNotFound] if none has.
func (s *Store) LastCRL(ctx context.Context, issuer int64, scope string) (CRLState, error) {
	c := CRLState{Scope: scope}
	var this, next int64
	err := s.readers.QueryRowContext(ctx, `SELECT number, horizon, this_update, next_update, entries FROM crl_state WHERE issuer = $1 AND scope = $2`,
		issuer, scope).Scan(&c.Number, &c.Horizon, &this, &next, &c.Entries)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	c.ThisUpdate, c.NextUpdate = moment(this), moment(next)
	return c, s.explain(err, "read the state of the CRL")
}

// Revoked is an entry of a CRL.
type Revoked struct {
	Serial []byte
	Revocation
	NotAfter time.Time
}

// RevokedQuery says which entries a CRL has.
type RevokedQuery struct {
	Issuer int64
	// Since and Horizon: only what changed after the one and up to the other.
	Since   int64
	Horizon int64
	// Delta adds what was released from hold, with reason 8.
	Delta bool
	// EndsFrom leaves out certificates whose validity ended before.
	EndsFrom time.Time
}

// Revoked gives what a CRL contains, in the order of serial numbers' revocation,
// page by page: it is never in memory as a whole, and each certificate comes once,
// as it stood at the horizon.
func (s *Store) Revoked(ctx context.Context, q RevokedQuery) iter.Seq2[Revoked, error] {
	const text = `SELECT v.change, r.serial, v.revoked_at, v.reason, v.invalid_at, c.not_after
		FROM revocations v JOIN certificates c ON c.id = v.certificate JOIN requests r ON r.id = v.certificate
		WHERE v.issuer = $1 AND v.change > $2 AND v.change <= $3 AND c.not_after >= $4 AND (v.reason <> 8 OR $5 = 1)
		AND NOT EXISTS (SELECT 1 FROM revocations l WHERE l.certificate = v.certificate AND l.change > v.change AND l.change <= $6)
		ORDER BY v.change LIMIT $7`
	delta := 0
	if q.Delta {
		delta = 1
	}
	type row struct {
		change int64
		Revoked
	}
	scan := func(scan func(...any) error) (r row, err error) {
		var at, end int64
		var invalid sql.NullInt64
		err = scan(&r.change, &r.Serial, &at, &r.Reason, &invalid, &end)
		r.At, r.InvalidAt, r.NotAfter = moment(at), moment(invalid.Int64), moment(end)
		return r, err
	}
	return func(yield func(Revoked, error) bool) {
		for after := q.Since; ; {
			page, err := collect(ctx, s, scan, text, q.Issuer, after, q.Horizon, millis(q.EndsFrom), delta, q.Horizon, pageSize)
			if err != nil {
				yield(Revoked{}, s.explain(err, "read revocations"))
				return
			}
			for _, r := range page {
				if !yield(r.Revoked, nil) {
					return
				}
				after = r.change
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

// Status is all that an OCSP answer or a revocation set needs.
type Status struct {
	Serial []byte
	State  State
	Revocation
}

// Status gives the state of one serial number; [ErrNotFound] if it was never
// given out.
func (s *Store) Status(ctx context.Context, issuer int64, serial []byte) (st Status, err error) {
	st.Serial = serial
	var state int64
	var at, reason, invalid sql.NullInt64
	err = s.ask(ctx, `SELECT COALESCE(c.state, r.outcome, 1), v.revoked_at, v.reason, v.invalid_at`+certificateTables+
		` WHERE r.issuer = $1 AND r.serial = $2`, issuer, serial).Scan(&state, &at, &reason, &invalid)
	if errors.Is(err, sql.ErrNoRows) {
		return st, ErrNotFound
	}
	st.State = State(state)
	st.Revocation = Revocation{At: moment(at.Int64), Reason: uint8(reason.Int64), InvalidAt: moment(invalid.Int64)}
	return st, s.explain(err, "read a certificate's record")
}

// Statuses gives the state of every certificate of an issuer that is valid at a
// time or later, or only of those in some states, in the order of their numbers,
// page by page.
func (s *Store) Statuses(ctx context.Context, issuer int64, endsFrom time.Time, only ...State) iter.Seq2[Status, error] {
	type row struct {
		id int64
		Status
	}
	scan := func(scan func(...any) error) (r row, err error) {
		var state int64
		err = scan(&r.id, &r.Serial, &state)
		r.State = State(state)
		return r, err
	}
	const size = 10 * pageSize
	return func(yield func(Status, error) bool) {
		for after := int64(0); ; {
			var w where
			w.and("c.issuer = %s", issuer)
			w.and("c.id > %s", after)
			w.and("+c.not_after >= %s", millis(endsFrom)) // by ID, not by the index of ends
			if len(only) > 0 {
				w.states(only)
			}
			page, err := collect(ctx, s, scan, `SELECT c.id, r.serial, c.state FROM certificates c JOIN requests r ON r.id = c.id`+
				w.text()+` ORDER BY c.id LIMIT `+w.arg(size), w.args...)
			if err != nil {
				yield(Status{}, s.explain(err, "read certificates' records"))
				return
			}
			for _, r := range page {
				if !yield(r.Status, nil) {
					return
				}
				after = r.id
			}
			if len(page) < size {
				return
			}
		}
	}
}

// LastChange is the number of the last change to the validity of any certificate: what was made before a greater one may
// say something else now. 0: there was none.
func (s *Store) LastChange(ctx context.Context) (change int64, err error) {
	err = s.ask(ctx, `SELECT COALESCE(MAX(change), 0) FROM revocations`).Scan(&change)
	return change, s.explain(err, "read the revocations")
}
