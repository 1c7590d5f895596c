package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Issuer is a CA that signs: a name with a key. Its certificate may be renewed, its
// serial numbers and CRL numbers go on.
type Issuer struct {
	ID          int64
	Name        string
	KeyHash     [32]byte // SHA-256 of name and public key, both DER
	Certificate []byte   // DER, the newest one
	Shards      int      // partitions of its CRL
	CRLNumber   int64    // the last one given out
	CreatedAt   time.Time
}

const issuerColumns = `id, name, key_hash, certificate, shards, crl_number, created_at`

func scanIssuer(scan func(...any) error) (i Issuer, err error) {
	var hash []byte
	var at int64
	err = scan(&i.ID, &i.Name, &hash, &i.Certificate, &i.Shards, &i.CRLNumber, &at)
	copy(i.KeyHash[:], hash)
	i.CreatedAt = moment(at)
	return i, err
}

// Introduce makes an issuer known, or finds it again by its KeyHash; a newer
// certificate of it is noted. The number of shards stays what it was at first: a
// certificate points for ever to the partition that its serial number gave it.
func (s *Store) Introduce(ctx context.Context, i Issuer, by By) (Issuer, error) {
	known, err := s.issuer(ctx, `key_hash = $1`, i.KeyHash[:])
	if err == nil && string(known.Certificate) == string(i.Certificate) {
		return known, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Issuer{}, err
	}
	err = s.do(ctx, &write{run: func(c *change) error {
		if err := c.chain(); err != nil {
			return err
		}
		n, err := c.affected(`INSERT INTO issuers (name, key_hash, certificate, shards, crl_number, created_at) VALUES ($1, $2, $3, $4, 0, $5)
			ON CONFLICT (key_hash) DO UPDATE SET certificate = excluded.certificate WHERE issuers.certificate <> excluded.certificate`,
			i.Name, i.KeyHash[:], i.Certificate, max(i.Shards, 1), millis(by.At))
		if err != nil || n == 0 {
			return err
		}
		var id int64
		if err := c.row([]any{&id}, `SELECT id FROM issuers WHERE key_hash = $1`, i.KeyHash[:]); err != nil {
			return err
		}
		digest := digestOf(i.Certificate)
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionIssuer, Issuer: id, Digest: digest[:], Detail: i.Name})
		return nil
	}})
	if err != nil {
		return Issuer{}, err
	}
	return s.issuer(ctx, `key_hash = $1`, i.KeyHash[:])
}

func (s *Store) issuer(ctx context.Context, where string, args ...any) (Issuer, error) {
	i, err := scanIssuer(s.readers.QueryRowContext(ctx, `SELECT `+issuerColumns+` FROM issuers WHERE `+where, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return i, fmt.Errorf("issuer: %w", ErrNotFound)
	}
	return i, s.explain(err, "read an issuer's record")
}

// SetShards partitions the CRL of an issuer. That can be done once: certificates
// point to their partition for as long as they live. [ErrPartitioned]: it has
// another number of partitions already.
func (s *Store) SetShards(ctx context.Context, issuer int64, shards int, by By) (Issuer, error) {
	err := s.do(ctx, &write{run: func(c *change) error {
		if err := c.chain(); err != nil {
			return err
		}
		n, err := c.affected(`UPDATE issuers SET shards = $1 WHERE id = $2 AND shards IN (1, $3)`, shards, issuer, shards)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrPartitioned
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionIssuer, Issuer: issuer, Detail: fmt.Sprintf("CRL in %d partitions", shards)})
		return nil
	}})
	if err != nil {
		return Issuer{}, err
	}
	return s.issuer(ctx, `id = $1`, issuer)
}

// Issuers lists all of them.
func (s *Store) Issuers(ctx context.Context) ([]Issuer, error) {
	all, err := collect(ctx, s, scanIssuer, `SELECT `+issuerColumns+` FROM issuers ORDER BY id`)
	return all, s.explain(err, "read the issuers' records")
}
