package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// maxBatch bounds how many writes share one transaction, and how many wait.
const maxBatch = 512

// maxPatience bounds how long the writer waits for more.
const maxPatience = 4 * time.Millisecond

// write is one change to be made in some transaction. Two kinds are so frequent
// that they are carried out many rows at a time; all others are functions. With a
// reservation a function is carried out as well.
type write struct {
	reserve *NewRequest
	record  *NewCertificate
	run     func(*change) error
	id      int64 // what reserve gave
	err     error
	done    chan struct{}
	claimed atomic.Bool // by the writer, which makes it, or by the caller, who does not want it any more
}

// do hands w to the writer and waits until it is on disk or refused. If ctx ends
// before the writer has taken w up, it is never made; later it is waited for, so that
// nobody reads what a function of w still writes, and nothing is made without our knowing.
func (s *Store) do(ctx context.Context, w *write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.postgres != nil && w.run != nil && w.reserve == nil {
		return s.doAlone(w)
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
	case <-ctx.Done():
		if w.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-w.done
	}
	return w.err
}

// writer is a goroutine that writes: SQLite has one, PostgreSQL several on each node,
// for reservations and records only. While it waits for the disk, the next writes
// queue up and go into one transaction together: that is the group commit.
type writer struct {
	store *Store
	kept  *session // SQLite's one connection; nil: one is borrowed for each batch
	batch []*write
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
	return &writer{store: s, kept: &session{store: s, conn: conn, stmts: make(map[string]*sql.Stmt)}}, nil
}

func (w *writer) run() {
	defer w.store.writing.Done()
	for open := true; open; {
		w.batch = w.batch[:0]
		select {
		case first := <-w.store.queue:
			w.take(first)
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
			w.store.observe(w.batch, start)
			w.patience = 0
			if len(w.batch) > 1 && w.kept != nil {
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
			w.take(next)
		default:
			return
		}
	}
}

// take adds one to the batch, unless its caller has gone.
func (w *writer) take(one *write) {
	if one.claimed.CompareAndSwap(false, true) {
		w.batch = append(w.batch, one)
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
	if w.kept != nil {
		w.kept.close()
	}
}

// commit makes one transaction of the batch. If a write is refused, everything is
// undone and done again one by one, so that each gets the answer it deserves and
// none suffers for another.
func (w *writer) commit() {
	err := w.transaction(w.together)
	var refused *refusedError
	switch {
	case err == nil || w.store.isTrouble(err):
	case errors.As(err, &refused) && len(w.batch) == 1:
		w.batch[0].err = refused.err
		return
	case refused != nil || isConstraint(err) || errors.Is(err, ErrTaken):
		err = w.transaction(w.oneByOne)
	}
	if err == nil {
		return
	}
	for _, one := range w.batch {
		one.err = w.store.explain(err, "write to the database")
	}
}

func (w *writer) transaction(body func(*change) error) error {
	if w.kept == nil {
		return w.store.postgres.transaction(body)
	}
	return w.kept.transaction(context.Background(), body)
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
			if err := one.run(c); err != nil {
				return &refusedError{err}
			}
		}
	}
	return nil
}

// refusedError says that one write of a batch was refused, so that the batch has to be made again without it.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func (w *writer) oneByOne(c *change) error {
	for _, one := range w.batch {
		one.err, one.id = nil, 0
		if err := c.within(one); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) perform(one *write) error {
	switch {
	case one.reserve != nil:
		if one.run != nil {
			if err := one.run(c); err != nil {
				return err
			}
		}
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
