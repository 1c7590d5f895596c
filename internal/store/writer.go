package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// maxBatch bounds how many writes share one transaction, and how many wait.
const maxBatch = 512

// maxPatience bounds how long the writer waits for more.
const maxPatience = 4 * time.Millisecond

// write is one change to be made in some transaction. Two kinds are so frequent
// that they are carried out many rows at a time; all others are functions.
type write struct {
	reserve *NewRequest
	record  *NewCertificate
	run     func(*change) error
	id      int64 // what reserve gave
	err     error
	done    chan struct{}
}

// do hands w to the writer and waits until it is on disk or refused. If ctx ends
// first, the write may still be made.
func (s *Store) do(ctx context.Context, w *write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.done = make(chan struct{})
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return ErrClosed
	}
	select {
	case s.queue <- w:
		s.closing.RUnlock()
	case <-ctx.Done():
		s.closing.RUnlock()
		return ctx.Err()
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writer is the one goroutine that writes. While it waits for the disk, the next
// writes queue up and go into one transaction together: that is the group commit.
type writer struct {
	store   *Store
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	inserts map[insertKey]string
	batch   []*write
	// patience is how long to wait for more writes: as long as the last commit took if
	// it was for several, else not at all. So nobody who is alone waits, and nobody
	// waits twice as long as without; but where many write, commits are few and large,
	// and meanwhile the others get on with their work.
	patience time.Duration
}

func newWriter(ctx context.Context, s *Store) (*writer, error) {
	conn, err := s.writers.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &writer{store: s, conn: conn, stmts: make(map[string]*sql.Stmt), inserts: make(map[insertKey]string)}, nil
}

func (w *writer) run() {
	defer close(w.store.done)
	for open := true; open; {
		w.batch = w.batch[:0]
		select {
		case first := <-w.store.queue:
			w.batch = append(w.batch, first)
		case <-w.store.quit:
			open = false
		}
		w.gather()
		if w.patience > 0 && open && len(w.batch) < maxBatch/2 {
			w.wait()
			w.gather()
		}
		if len(w.batch) > 0 {
			start := time.Now()
			w.commit()
			w.patience = 0
			if len(w.batch) > 1 {
				w.patience = min(time.Since(start), maxPatience)
			}
		}
		for _, one := range w.batch {
			close(one.done)
		}
		clear(w.batch)
	}
	w.close()
}

// gather takes what else is waiting.
func (w *writer) gather() {
	for len(w.batch) < maxBatch {
		select {
		case next := <-w.store.queue:
			w.batch = append(w.batch, next)
		default:
			return
		}
	}
}

// wait lets time pass in which writes queue up.
func (w *writer) wait() {
	timer := time.NewTimer(w.patience)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.store.quit:
	}
}

func (w *writer) close() {
	for _, stmt := range w.stmts {
		_ = stmt.Close() // nothing is lost: every commit is on disk
	}
	_ = w.conn.Close()
}

// commit makes one transaction of the batch. If a row is refused, everything is
// undone and done again one by one, so that each write gets the answer it
// deserves and none suffers for another.
func (w *writer) commit() {
	err := w.transaction(w.together)
	if err != nil && (isConstraint(err) || errors.Is(err, ErrTaken)) {
		err = w.transaction(w.oneByOne)
	}
	if err == nil {
		return
	}
	for _, one := range w.batch {
		one.err = w.store.explain(err, "write to the database")
	}
}

// transaction runs body between BEGIN IMMEDIATE and COMMIT.
func (w *writer) transaction(body func(*change) error) error {
	ctx := context.Background()
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	c := &change{ctx: ctx, w: w}
	err := body(c)
	if err == nil {
		err = c.flushAudit()
	}
	if err == nil {
		err = w.exec(ctx, "COMMIT")
	}
	if err == nil {
		return nil
	}
	// After some errors SQLite has rolled back by itself; then this one fails, rightly.
	_ = w.exec(ctx, "ROLLBACK")
	return err
}

// together carries out the whole batch, rows of one kind in one statement.
func (w *writer) together(c *change) error {
	var reserves, records []*write
	for _, one := range w.batch {
		one.err, one.id = nil, 0
		switch {
		case one.reserve != nil:
			reserves = append(reserves, one)
		case one.record != nil:
			records = append(records, one)
		}
	}
	if err := c.reserveAll(reserves); err != nil {
		return err
	}
	if err := c.recordAll(records); err != nil {
		return err
	}
	for _, one := range w.batch {
		if one.run != nil {
			if err := c.within(one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) oneByOne(c *change) error {
	for _, one := range w.batch {
		one.err, one.id = nil, 0
		if err := c.within(one); err != nil {
			return err
		}
	}
	return nil
}

// exec runs a statement that is kept prepared. The driver is never given a context
// that can end: a transaction is short, and half of one is of no use to anybody.
func (w *writer) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.execResult(ctx, query, args...)
	return err
}

func (w *writer) execResult(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := w.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

func (w *writer) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := w.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = stmt
	return stmt, nil
}

// change is a transaction that is being made.
type change struct {
	ctx   context.Context
	w     *writer
	audit []Entry // to be chained and written before the commit
}

// within carries out one write in a savepoint. What the write itself is refused
// for is its own error; what is wrong with the file is everybody's.
func (c *change) within(one *write) error {
	if err := c.exec("SAVEPOINT one"); err != nil {
		return err
	}
	entries := len(c.audit)
	one.err = c.perform(one)
	if one.err == nil {
		return c.exec("RELEASE one")
	}
	var trouble *FileError
	if err := c.w.store.explain(one.err, "write to the database"); errors.As(err, &trouble) {
		return one.err
	}
	c.audit = c.audit[:entries]
	if err := c.exec("ROLLBACK TO one"); err != nil {
		return err
	}
	return c.exec("RELEASE one")
}

func (c *change) perform(one *write) error {
	switch {
	case one.reserve != nil:
		return refusal(c.reserveAll([]*write{one}))
	case one.record != nil:
		return refusal(c.recordAll([]*write{one}))
	}
	return one.run(c)
}

// refusal names the rule that a reservation or a record broke.
func refusal(err error) error {
	switch {
	case isTrigger(err):
		return fmt.Errorf("%w (%v)", ErrNotOpen, err)
	case isUnique(err):
		return fmt.Errorf("%w (%v)", ErrSerialTaken, err)
	case isConstraint(err):
		return fmt.Errorf("%w (%v)", ErrNotFound, err)
	}
	return err
}

func (c *change) exec(query string, args ...any) error { return c.w.exec(c.ctx, query, args...) }

// affected runs a statement and tells how many rows it changed.
func (c *change) affected(query string, args ...any) (int64, error) {
	result, err := c.w.execResult(c.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads one row; [ErrNotFound] if there is none.
func (c *change) row(into []any, query string, args ...any) error {
	stmt, err := c.w.prepare(c.ctx, query)
	if err != nil {
		return err
	}
	err = stmt.QueryRowContext(c.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
