package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Admin is a certificate by which somebody may act over the admin API.
type Admin struct {
	Digest    [32]byte // SHA-256 of the certificate, DER
	Name      string   // of who comes with it; several may have one name
	Roles     []string // words without commas
	NotAfter  time.Time
	CreatedAt time.Time
	RemovedAt time.Time // zero: may act
}

const adminColumns = `digest, name, roles, not_after, created_at, removed_at`

func scanAdmin(scan func(...any) error) (a Admin, err error) {
	var digest []byte
	var roles string
	var end, created, removed int64
	err = scan(&digest, &a.Name, &roles, &end, &created, &removed)
	copy(a.Digest[:], digest)
	if roles != "" {
		a.Roles = strings.Split(roles, ",")
	}
	a.NotAfter, a.CreatedAt, a.RemovedAt = moment(end), moment(created), moment(removed)
	return a, err
}

// AddAdmin lets somebody act. [ErrTaken]: the certificate is known already.
func (s *Store) AddAdmin(ctx context.Context, a Admin, by By) error {
	return s.do(ctx, &write{run: func(c *change) error {
		err := c.exec(`INSERT INTO admins (`+adminColumns+`) VALUES ($1, $2, $3, $4, $5, 0)`,
			a.Digest[:], a.Name, strings.Join(a.Roles, ","), millis(a.NotAfter), millis(a.CreatedAt))
		if isUnique(err) {
			return fmt.Errorf("admin: %w", ErrTaken)
		}
		if err != nil {
			return err
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionAdmin, Digest: a.Digest[:], Detail: fmt.Sprintf("%s may %s until %s", a.Name, strings.Join(a.Roles, ", "), a.NotAfter.UTC().Format(time.DateOnly))})
		return nil
	}})
}

// Admin finds who comes with a certificate; [ErrNotFound] for nobody and for who was removed. Whether the certificate is
// valid is not looked at.
func (s *Store) Admin(ctx context.Context, digest [32]byte) (Admin, error) {
	a, err := scanAdmin(s.readers.QueryRowContext(ctx, `SELECT `+adminColumns+` FROM admins WHERE digest = $1 AND removed_at = 0`, digest[:]).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return a, fmt.Errorf("admin: %w", ErrNotFound)
	}
	return a, s.explain(err, "look for the admin")
}

// Admins lists all, those who were removed too, the oldest first.
func (s *Store) Admins(ctx context.Context) ([]Admin, error) {
	all, err := collect(ctx, s, scanAdmin, `SELECT `+adminColumns+` FROM admins ORDER BY created_at, name, digest`)
	return all, s.explain(err, "read the admins")
}

// RemoveAdmin takes from everybody of a name what they may, and tells how many certificates that was; [ErrNotFound] for
// none.
func (s *Store) RemoveAdmin(ctx context.Context, name string, by By) (n int64, err error) {
	err = s.do(ctx, &write{run: func(c *change) error {
		removed, err := c.affected(`UPDATE admins SET removed_at = $1 WHERE name = $2 AND removed_at = 0`, millis(by.At), name)
		if err != nil {
			return err
		}
		n = removed
		if n == 0 {
			return fmt.Errorf("admin: %w", ErrNotFound)
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionAdmin, Detail: name + " may nothing any more"})
		return nil
	}})
	return n, err
}
