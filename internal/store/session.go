package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5/stdlib"
)

// session is a connection that transactions are made on.
type session struct {
	store *Store
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // nil: the driver keeps statements prepared by itself
}

func (x *session) close() {
	for _, stmt := range x.stmts {
		_ = stmt.Close() // nothing is lost: every commit is on disk
	}
	_ = x.conn.Close()
}

// transaction runs body between BEGIN and COMMIT. The driver is never given a context
// that ends with a caller: a transaction is short, and half of one is of no use to
// anybody.
func (x *session) transaction(ctx context.Context, body func(*change) error) error {
	begin := "BEGIN IMMEDIATE"
	if x.store.postgres != nil {
		begin = "BEGIN"
	}
	c := &change{ctx: ctx, session: x}
	if err := c.exec(begin); err != nil {
		return &beginError{err}
	}
	err := body(c)
	if err == nil {
		err = c.flushAudit()
	}
	if err == nil {
		err = c.commit()
	}
	if err == nil {
		return nil
	}
	// After some errors SQLite has rolled back by itself; then this one fails, rightly.
	_ = c.exec("ROLLBACK")
	return err
}

// beginError says that a transaction did not even begin: nothing has been done.
type beginError struct{ err error }

func (e *beginError) Error() string { return "begin a transaction: " + e.err.Error() }
func (e *beginError) Unwrap() error { return e.err }

// commit ends a transaction well. PostgreSQL answers COMMIT of a transaction in which a
// statement failed with ROLLBACK, and calls that no error.
func (c *change) commit() error {
	if c.store.postgres == nil {
		return c.exec("COMMIT")
	}
	return c.conn.Raw(func(driver any) error {
		conn, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("another driver than pgx")
		}
		tag, err := conn.Conn().Exec(c.ctx, "COMMIT")
		if err == nil && tag.String() != "COMMIT" {
			return errors.New("a statement of the transaction had failed")
		}
		return err
	})
}

// change is a transaction that is being made.
type change struct {
	*session
	ctx    context.Context
	audit  []Entry // to be chained and written before the commit
	chains bool    // this transaction may add to the audit log, and no other one until it ends
}

// prepare keeps a statement; nil where the driver does.
func (c *change) prepare(query string) (*sql.Stmt, error) {
	if c.stmts == nil {
		return nil, nil
	}
	if stmt, ok := c.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := c.conn.PrepareContext(c.ctx, query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = stmt
	return stmt, nil
}

func (c *change) exec(query string, args ...any) error {
	_, err := c.result(query, args...)
	return err
}

func (c *change) result(query string, args ...any) (sql.Result, error) {
	stmt, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return c.conn.ExecContext(c.ctx, query, args...)
	}
	return stmt.ExecContext(c.ctx, args...)
}

// affected runs a statement and tells how many rows it changed.
func (c *change) affected(query string, args ...any) (int64, error) {
	result, err := c.result(query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// rows asks for many rows.
func (c *change) rows(query string, args ...any) (*sql.Rows, error) {
	stmt, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return c.conn.QueryContext(c.ctx, query, args...)
	}
	return stmt.QueryContext(c.ctx, args...)
}

// row reads one row; [ErrNotFound] if there is none.
func (c *change) row(into []any, query string, args ...any) error {
	rows, err := c.rows(query, args...)
	if err != nil {
		return err
	}
	if !rows.Next() {
		err = ErrNotFound
		if rows.Err() != nil {
			err = rows.Err()
		}
		return errors.Join(err, rows.Close())
	}
	return errors.Join(rows.Scan(into...), rows.Close())
}

// collectIn reads all rows of a question within a transaction.
func collectIn[T any](c *change, scan func(func(...any) error) (T, error), query string, args ...any) (all []T, err error) {
	rows, err := c.rows(query, args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, one)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

// forUpdate ends a question about a row that is changed next. SQLite has one writer
// at a time and needs no such words.
func (c *change) forUpdate() string {
	if c.store.postgres == nil {
		return ""
	}
	return " FOR NO KEY UPDATE"
}

// unclaimed ends a question about rows of which any will do: those that others have
// their hands on are left out.
func (c *change) unclaimed() string {
	if c.store.postgres == nil {
		return ""
	}
	return " FOR NO KEY UPDATE SKIP LOCKED"
}

// chain waits until this transaction is the only one that adds to the audit log, here
// or on another node. Most do so at their end, in [change.flushAudit]. Those that must
// not overtake each other - a revocation and a number of a CRL, above all: every
// change up to a CRL's horizon must have been committed when the number is taken -
// do so first, and so do those that hold on to a row that others want while they
// chain. SQLite has one writer at a time.
func (c *change) chain() error {
	if c.store.postgres == nil || c.chains {
		return nil
	}
	c.chains = true
	return c.exec(`SELECT pg_advisory_xact_lock('audit'::regclass::oid::bigint << 32)`)
}

// isTrouble tells whether an error is not the fault of what was to be written.
func (s *Store) isTrouble(err error) bool {
	var trouble *FileError
	return errors.As(s.explain(err, "write to the database"), &trouble) || mayBeRetried(err)
}

// within carries out one write in a savepoint. What the write itself is refused
// for is its own error; what is wrong with the file is everybody's.
func (c *change) within(one *write) error {
	if err := c.exec("SAVEPOINT one"); err != nil {
		return err
	}
	entries, chains := len(c.audit), c.chains
	one.err = c.perform(one)
	if one.err == nil {
		return c.exec("RELEASE SAVEPOINT one")
	}
	if c.store.isTrouble(one.err) {
		return one.err
	}
	c.audit, c.chains = c.audit[:entries], chains // the lock goes back with the savepoint
	if err := c.exec("ROLLBACK TO SAVEPOINT one"); err != nil {
		return err
	}
	return c.exec("RELEASE SAVEPOINT one")
}
