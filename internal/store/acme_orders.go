package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ACMEOrder is an order over ACME.
type ACMEOrder struct {
	ID        string
	Account   string
	Status    string
	CreatedAt time.Time
	ExpiresAt time.Time
	DueAt     time.Time // when somebody is to take it up; zero: nothing to do
	Serial    string    // of its certificate, hexadecimal; "": none
	Body      []byte    // JSON of the ACME server
}

// ACMEAuthorization is an authorization over ACME.
type ACMEAuthorization struct {
	ID         string
	Account    string
	Identifier string // with the star of a wildcard, as "dns:*.a.example"
	Status     string
	ExpiresAt  time.Time
	DueAt      time.Time
	Body       []byte
}

const (
	orderColumns         = `id, account, status, created_at, expires_at, due_at, serial, body`
	authorizationColumns = `id, account, identifier, status, expires_at, due_at, body`
)

func scanOrder(scan func(...any) error) (o ACMEOrder, err error) {
	var created, expires, due int64
	err = scan(&o.ID, &o.Account, &o.Status, &created, &expires, &due, &o.Serial, &o.Body)
	o.CreatedAt, o.ExpiresAt, o.DueAt = moment(created), moment(expires), moment(due)
	return o, err
}

func scanAuthorization(scan func(...any) error) (a ACMEAuthorization, err error) {
	var expires, due int64
	err = scan(&a.ID, &a.Account, &a.Identifier, &a.Status, &expires, &due, &a.Body)
	a.ExpiresAt, a.DueAt = moment(expires), moment(due)
	return a, err
}

// AddACMEOrder files an order with its new authorizations. replaces is the identifier of the certificate it replaces (RFC
// 9773), "" none; [ErrTaken]: another order replaces it.
func (s *Store) AddACMEOrder(ctx context.Context, o ACMEOrder, authorizations []ACMEAuthorization, replaces string) error {
	return s.do(ctx, &write{run: func(c *change) error {
		if replaces != "" {
			err := c.exec(`INSERT INTO acme_replaced (certificate, replacement) VALUES ($1, $2)`, replaces, o.ID)
			if isUnique(err) {
				return fmt.Errorf("replacement: %w", ErrTaken)
			}
			if err != nil {
				return err
			}
		}
		for _, a := range authorizations {
			if err := c.addAuthorization(a); err != nil {
				return err
			}
		}
		// PostgreSQL's sequence has holes, but two that order at the same time get two numbers.
		number := `(SELECT COALESCE(MAX(seq), 0) + 1 FROM acme_orders WHERE account = $2)`
		if c.store.postgres != nil {
			number = `nextval('acme_order_numbers')`
		}
		return c.exec(`INSERT INTO acme_orders (`+orderColumns+`, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, `+number+`)`,
			o.ID, o.Account, o.Status, millis(o.CreatedAt), millis(o.ExpiresAt), millis(o.DueAt), o.Serial, o.Body)
	}})
}

// AddACMEAuthorization files an authorization without an order.
func (s *Store) AddACMEAuthorization(ctx context.Context, a ACMEAuthorization) error {
	return s.do(ctx, &write{run: func(c *change) error { return c.addAuthorization(a) }})
}

func (c *change) addAuthorization(a ACMEAuthorization) error {
	return c.exec(`INSERT INTO acme_authorizations (`+authorizationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.ID, a.Account, a.Identifier, a.Status, millis(a.ExpiresAt), millis(a.DueAt), a.Body)
}

// ACMEOrder finds an order; [ErrNotFound].
func (s *Store) ACMEOrder(ctx context.Context, id string) (ACMEOrder, error) {
	return s.acmeOrder(ctx, `id = $1`, id)
}

// ACMEOrderOf finds the order of a certificate by its serial number, hexadecimal; [ErrNotFound].
func (s *Store) ACMEOrderOf(ctx context.Context, serial string) (ACMEOrder, error) {
	return s.acmeOrder(ctx, `serial = $1 AND serial <> ''`, serial)
}

func (s *Store) acmeOrder(ctx context.Context, where string, args ...any) (ACMEOrder, error) {
	o, err := scanOrder(s.ask(ctx, `SELECT `+orderColumns+` FROM acme_orders WHERE `+where, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return o, fmt.Errorf("order: %w", ErrNotFound)
	}
	return o, s.explain(err, "read an order")
}

// ACMEOrdersOf lists orders of an account, the oldest first, after the one with the number after; next is the number to go
// on from, 0 at the end.
func (s *Store) ACMEOrdersOf(ctx context.Context, account string, after int64, limit int) (ids []string, next int64, err error) {
	type row struct {
		id  string
		seq int64
	}
	rows, err := collect(ctx, s, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.id, &r.seq)
		return r, err
	}, `SELECT id, seq FROM acme_orders WHERE account = $1 AND seq > $2 ORDER BY seq LIMIT $3`, account, after, limit+1)
	if err != nil {
		return nil, 0, s.explain(err, "read an account's orders")
	}
	for i, r := range rows {
		if i == limit {
			return ids, next, nil
		}
		ids, next = append(ids, r.id), r.seq
	}
	return ids, 0, nil
}

// ChangeACMEOrder lets edit change an order as it is at that moment; nobody else changes it meanwhile. ID, account and
// time of creation stay. An error of edit changes nothing.
func (s *Store) ChangeACMEOrder(ctx context.Context, id string, edit func(*ACMEOrder) error) (ACMEOrder, error) {
	var changed ACMEOrder
	err := s.do(ctx, &write{run: func(c *change) (err error) {
		changed, err = c.changeOrder(id, edit)
		return err
	}})
	return changed, err
}

func (c *change) changeOrder(id string, edit func(*ACMEOrder) error) (ACMEOrder, error) {
	changed, err := scanOrder(func(into ...any) error {
		return c.row(into, `SELECT `+orderColumns+` FROM acme_orders WHERE id = $1`+c.forUpdate(), id)
	})
	if err != nil {
		return changed, err
	}
	if err := edit(&changed); err != nil {
		return changed, err
	}
	return changed, c.exec(`UPDATE acme_orders SET status = $1, expires_at = $2, due_at = $3, serial = $4, body = $5 WHERE id = $6`,
		changed.Status, millis(changed.ExpiresAt), millis(changed.DueAt), changed.Serial, changed.Body, id)
}

// fulfil gives an order the certificate that is being recorded: one transaction, so that neither is ever without the
// other.
func (c *change) fulfil(order, serial string) error {
	n, err := c.affected(`UPDATE acme_orders SET status = 'valid', serial = $1, due_at = 0 WHERE id = $2 AND serial = ''`, serial, order)
	if err != nil {
		return err
	}
	if n != 1 {
		return fmt.Errorf("order %s: %w", order, ErrTaken)
	}
	return nil
}

// ACMEAuthorizations finds authorizations by their IDs, in that order; [ErrNotFound] if one is missing.
func (s *Store) ACMEAuthorizations(ctx context.Context, ids ...string) ([]ACMEAuthorization, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	read := collect[ACMEAuthorization]
	if len(ids) <= fewIDs {
		read = collectFew[ACMEAuthorization]
	}
	rows, err := read(ctx, s, scanAuthorization, `SELECT `+authorizationColumns+` FROM acme_authorizations WHERE id IN (`+places(len(ids))+`)`, args...)
	if err != nil {
		return nil, s.explain(err, "read authorizations")
	}
	byID := make(map[string]ACMEAuthorization, len(rows))
	for _, r := range rows {
		byID[r.ID] = r
	}
	found := make([]ACMEAuthorization, 0, len(ids))
	for _, id := range ids {
		a, ok := byID[id]
		if !ok {
			return nil, fmt.Errorf("authorization: %w", ErrNotFound)
		}
		found = append(found, a)
	}
	return found, nil
}

// fewIDs is up to how many IDs a question keeps its statement.
const fewIDs = 4

// places is "$1, $2, …".
func places(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	return b.String()
}

// usablePerName bounds how many authorizations of one name are looked at. It stands in the statement: SQLite would make a
// plan anew for each value of a LIMIT.
const usablePerName = "8"

// UsableACMEAuthorizations finds what an account may use again for an identifier: valid or pending, and not expired; the
// ones that last longest first.
func (s *Store) UsableACMEAuthorizations(ctx context.Context, account, identifier string, now time.Time) ([]ACMEAuthorization, error) {
	all, err := collectFew(ctx, s, scanAuthorization, `SELECT `+authorizationColumns+` FROM acme_authorizations
		WHERE account = $1 AND identifier = $2 AND expires_at > $3 AND status IN ('valid', 'pending') ORDER BY expires_at DESC LIMIT `+usablePerName,
		account, identifier, millis(now))
	return all, s.explain(err, "read authorizations")
}

// ChangeACMEAuthorization is as [Store.ChangeACMEOrder].
func (s *Store) ChangeACMEAuthorization(ctx context.Context, id string, edit func(*ACMEAuthorization) error) (ACMEAuthorization, error) {
	var changed ACMEAuthorization
	err := s.do(ctx, &write{run: func(c *change) error {
		var err error
		changed, err = scanAuthorization(func(into ...any) error {
			return c.row(into, `SELECT `+authorizationColumns+` FROM acme_authorizations WHERE id = $1`+c.forUpdate(), id)
		})
		if err != nil {
			return err
		}
		if err := edit(&changed); err != nil {
			return err
		}
		return c.exec(`UPDATE acme_authorizations SET status = $1, expires_at = $2, due_at = $3, body = $4 WHERE id = $5`,
			changed.Status, millis(changed.ExpiresAt), millis(changed.DueAt), changed.Body, id)
	}})
	return changed, err
}

// ReplaceACMEAuthorization puts to in the place of from, which is how an authorization was read, and costs less than
// [Store.ChangeACMEAuthorization]. done is false, and nothing has happened, if somebody has changed it meanwhile. ID, account
// and identifier stay.
func (s *Store) ReplaceACMEAuthorization(ctx context.Context, from, to ACMEAuthorization) (done bool, err error) {
	const text = `UPDATE acme_authorizations SET status = $1, expires_at = $2, due_at = $3, body = $4
		WHERE id = $5 AND status = $6 AND expires_at = $7 AND due_at = $8 AND body = $9`
	args := []any{to.Status, millis(to.ExpiresAt), millis(to.DueAt), to.Body, from.ID, from.Status, millis(from.ExpiresAt), millis(from.DueAt), from.Body}
	if s.postgres != nil {
		return s.execAlone(ctx, text, args...) // a transaction of its own, without a word
	}
	err = s.do(ctx, &write{run: func(c *change) error {
		n, err := c.affected(text, args...)
		done = n == 1
		return err
	}})
	return done, err
}

// execAlone runs one statement as a transaction of PostgreSQL's, and tells whether it has changed a row.
func (s *Store) execAlone(ctx context.Context, text string, args ...any) (bool, error) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return false, ErrClosed
	}
	result, err := s.writers.ExecContext(ctx, text, args...)
	if err != nil {
		return false, s.explain(err, "write to the database")
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// ClaimACMEWork takes up what is due, at most limit of each kind: validations and issuings that a crash, here or on another
// node, left half-done. Each is given to one caller, and comes up again at until if that one does not finish.
func (s *Store) ClaimACMEWork(ctx context.Context, now, until time.Time, limit int) (authorizations []ACMEAuthorization, orders []ACMEOrder, err error) {
	var waiting int
	err = s.ask(ctx, `SELECT (SELECT COUNT(*) FROM acme_authorizations WHERE due_at > 0 AND due_at <= $1) + (SELECT COUNT(*) FROM acme_orders WHERE due_at > 0 AND due_at <= $1)`,
		millis(now)).Scan(&waiting)
	if err != nil || waiting == 0 {
		return nil, nil, s.explain(err, "look for work")
	}
	err = s.do(ctx, &write{run: func(c *change) error {
		authorizations, orders = nil, nil
		var ids []string
		if ids, err = c.column(`SELECT id FROM acme_authorizations WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT $2`+c.unclaimed(), millis(now), limit); err != nil {
			return err
		}
		for _, id := range ids {
			a, err := scanAuthorization(func(into ...any) error {
				return c.row(into, `UPDATE acme_authorizations SET due_at = $1 WHERE id = $2 RETURNING `+authorizationColumns, millis(until), id)
			})
			if err != nil {
				return err
			}
			authorizations = append(authorizations, a)
		}
		if ids, err = c.column(`SELECT id FROM acme_orders WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT $2`+c.unclaimed(), millis(now), limit); err != nil {
			return err
		}
		for _, id := range ids {
			o, err := scanOrder(func(into ...any) error {
				return c.row(into, `UPDATE acme_orders SET due_at = $1 WHERE id = $2 RETURNING `+orderColumns, millis(until), id)
			})
			if err != nil {
				return err
			}
			orders = append(orders, o)
		}
		return nil
	}})
	return authorizations, orders, err
}

// column reads the texts of one column.
func (c *change) column(query string, args ...any) (values []string, err error) {
	return collectIn(c, func(scan func(...any) error) (v string, err error) {
		err = scan(&v)
		return v, err
	}, query, args...)
}
