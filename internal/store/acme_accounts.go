package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// What the audit log says of accounts.
const (
	ActionAccount = "account" // one was made, changed or given up
	ActionBinding = "binding" // a key for external account binding was made or taken back
)

// ErrTaken is returned, wrapped, for what exists already and can exist once.
var ErrTaken = errors.New("it exists already")

// ACMEAccount is a client's account.
type ACMEAccount struct {
	ID         string
	Directory  string // which of the CA's directories it belongs to
	Thumbprint []byte // of its key (RFC 7638)
	Status     string
	Key        []byte // JWK
	Body       []byte // JSON of the ACME server
	CreatedAt  time.Time
}

const accountColumns = `id, directory, thumbprint, status, key, body, created_at`

func scanAccount(scan func(...any) error) (a ACMEAccount, err error) {
	var at int64
	err = scan(&a.ID, &a.Directory, &a.Thumbprint, &a.Status, &a.Key, &a.Body, &at)
	a.CreatedAt = moment(at)
	return a, err
}

// AddACMEAccount files a new account. binding is the key by which it is bound; "": it is not. [ErrTaken]: the directory
// has an account with that key, or the binding has been used; [ErrNotFound]: there is no such binding.
func (s *Store) AddACMEAccount(ctx context.Context, a ACMEAccount, binding string, by By) error {
	return s.do(ctx, &write{run: func(c *change) error {
		if binding != "" {
			n, err := c.affected(`UPDATE acme_bindings SET account = $1 WHERE kid = $2 AND directory = $3 AND account = ''`, a.ID, binding, a.Directory)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("binding %q: %w", binding, ErrTaken)
			}
		}
		err := c.exec(`INSERT INTO acme_accounts (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			a.ID, a.Directory, a.Thumbprint, a.Status, a.Key, a.Body, millis(a.CreatedAt))
		if isUnique(err) {
			return fmt.Errorf("account: %w", ErrTaken)
		}
		if err != nil {
			return err
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionAccount, Detail: "account " + a.ID + " made"})
		return nil
	}})
}

// ACMEAccount finds an account; [ErrNotFound].
func (s *Store) ACMEAccount(ctx context.Context, id string) (ACMEAccount, error) {
	return s.acmeAccount(ctx, `id = $1`, id)
}

// ACMEAccountOf finds the account of a key; [ErrNotFound].
func (s *Store) ACMEAccountOf(ctx context.Context, directory string, thumbprint []byte) (ACMEAccount, error) {
	return s.acmeAccount(ctx, `directory = $1 AND thumbprint = $2`, directory, thumbprint)
}

func (s *Store) acmeAccount(ctx context.Context, where string, args ...any) (ACMEAccount, error) {
	a, err := scanAccount(s.ask(ctx, `SELECT `+accountColumns+` FROM acme_accounts WHERE `+where, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return a, fmt.Errorf("account: %w", ErrNotFound)
	}
	return a, s.explain(err, "read an account")
}

// ACMEAccounts lists the accounts of a directory, "" all, the oldest first.
func (s *Store) ACMEAccounts(ctx context.Context, directory string) ([]ACMEAccount, error) {
	all, err := collect(ctx, s, scanAccount, `SELECT `+accountColumns+` FROM acme_accounts WHERE $1 = '' OR directory = $1 ORDER BY created_at, id`, directory)
	return all, s.explain(err, "read the accounts")
}

// ChangeACMEAccount lets edit change an account as it is at that moment; nobody else changes it meanwhile. Directory and
// ID stay. detail is for the audit log. An error of edit changes nothing. [ErrTaken]: another account has the new key.
func (s *Store) ChangeACMEAccount(ctx context.Context, id string, edit func(*ACMEAccount) error, detail string, by By) (ACMEAccount, error) {
	var changed ACMEAccount
	err := s.do(ctx, &write{run: func(c *change) error {
		var err error
		changed, err = scanAccount(func(into ...any) error {
			return c.row(into, `SELECT `+accountColumns+` FROM acme_accounts WHERE id = $1`+c.forUpdate(), id)
		})
		if err != nil {
			return err
		}
		if err := edit(&changed); err != nil {
			return err
		}
		err = c.exec(`UPDATE acme_accounts SET thumbprint = $1, status = $2, key = $3, body = $4 WHERE id = $5`,
			changed.Thumbprint, changed.Status, changed.Key, changed.Body, id)
		if isUnique(err) {
			return fmt.Errorf("account: %w", ErrTaken)
		}
		if err != nil {
			return err
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionAccount, Detail: "account " + id + " " + detail})
		return nil
	}})
	return changed, err
}

// ACMEBinding is a key for external account binding.
type ACMEBinding struct {
	KID       string
	Directory string
	Key       []byte // of the HMAC
	Account   string // that it has been used for; "": none yet
	Body      []byte // JSON of the ACME server
	CreatedAt time.Time
}

const bindingColumns = `kid, directory, key, account, body, created_at`

func scanBinding(scan func(...any) error) (b ACMEBinding, err error) {
	var at int64
	err = scan(&b.KID, &b.Directory, &b.Key, &b.Account, &b.Body, &at)
	b.CreatedAt = moment(at)
	return b, err
}

// AddACMEBinding files a new key. [ErrTaken]: there is one with that name.
func (s *Store) AddACMEBinding(ctx context.Context, b ACMEBinding, by By) error {
	return s.do(ctx, &write{run: func(c *change) error {
		err := c.exec(`INSERT INTO acme_bindings (`+bindingColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
			b.KID, b.Directory, b.Key, b.Account, b.Body, millis(b.CreatedAt))
		if isUnique(err) {
			return fmt.Errorf("binding: %w", ErrTaken)
		}
		if err != nil {
			return err
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionBinding, Detail: "binding " + b.KID + " made"})
		return nil
	}})
}

// ACMEBinding finds a key by its name; [ErrNotFound].
func (s *Store) ACMEBinding(ctx context.Context, kid string) (ACMEBinding, error) {
	b, err := scanBinding(s.ask(ctx, `SELECT `+bindingColumns+` FROM acme_bindings WHERE kid = $1`, kid).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return b, fmt.Errorf("binding: %w", ErrNotFound)
	}
	return b, s.explain(err, "read a binding")
}

// ACMEBindings lists all keys, the oldest first.
func (s *Store) ACMEBindings(ctx context.Context) ([]ACMEBinding, error) {
	all, err := collect(ctx, s, scanBinding, `SELECT `+bindingColumns+` FROM acme_bindings ORDER BY created_at, kid`)
	return all, s.explain(err, "read the bindings")
}

// RemoveACMEBinding takes a key back. An account that was made with it stays. [ErrNotFound].
func (s *Store) RemoveACMEBinding(ctx context.Context, kid string, by By) error {
	return s.do(ctx, &write{run: func(c *change) error {
		n, err := c.affected(`DELETE FROM acme_bindings WHERE kid = $1`, kid)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("binding: %w", ErrNotFound)
		}
		c.note(Entry{At: by.At, Actor: by.Actor, Action: ActionBinding, Detail: "binding " + kid + " taken back"})
		return nil
	}})
}

// ACMESecret gives the secret of a name; the first who asks makes it, and all others get the same.
func (s *Store) ACMESecret(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	var value []byte
	read := func() error {
		return s.readers.QueryRowContext(ctx, `SELECT value FROM acme_secrets WHERE name = $1`, name).Scan(&value)
	}
	err := read()
	if !errors.Is(err, sql.ErrNoRows) {
		return value, s.explain(err, "read a secret")
	}
	err = s.do(ctx, &write{run: func(c *change) error {
		return c.exec(`INSERT INTO acme_secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, fresh)
	}})
	if err != nil {
		return nil, err
	}
	return value, s.explain(read(), "read a secret")
}
